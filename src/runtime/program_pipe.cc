#include "runtime/program_pipe.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/real_network.h"

namespace tradewind::runtime {

Result<ProgramPipe> MakeProgramPipe(Core& core, std::string program) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Fail(ErrorKind::kIo, "PIPE_NOT_MADE",
                "a pipe to " + program + " could not be made: " + std::strerror(errno));
  ProgramPipe pipe;
  pipe.its = std::make_unique<FileDescriptor>(ends[1]);
  // Ours alone: the program's end, which is another file to the system, waits as a program expects it.
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  TW_TRY_ASSIGN(pipe.ours, AdoptSocket(core, ends[0], Address{std::move(program), 0}));
  return pipe;
}

}  // namespace tradewind::runtime
