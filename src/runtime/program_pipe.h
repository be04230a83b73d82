// What a program of this machine writes or reads as a stream of bytes, as fibers see it. Nobody else can reach it: it is a
// pair of sockets without a name. Who reads it slowly holds the program back.
//
// One core only. Not simulated (process.h).
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/core.h"
#include "runtime/file_descriptor.h"
#include "runtime/network.h"

namespace tradewind::runtime {

struct ProgramPipe {
  std::unique_ptr<Connection> ours;
  // The program's, for ProcessStart. To be closed here once the program has it: then ours ends with the program.
  std::unique_ptr<FileDescriptor> its;
};

// `program` is what errors call it. kIo, PIPE_NOT_MADE, with the system's reason.
Result<ProgramPipe> MakeProgramPipe(Core& core, std::string program);

}  // namespace tradewind::runtime
