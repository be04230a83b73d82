#include "runtime/program_pipe.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "runtime/fiber.h"
#include "runtime/process.h"
#include "runtime/real_core.h"
#include "runtime/test_folder.h"

namespace tradewind::runtime {
namespace {

using namespace std::chrono_literals;

std::string ReadAll(Connection& from) {
  std::string text;
  std::array<std::byte, 4096> piece{};
  while (true) {
    const auto got = from.Read(piece);
    EXPECT_TRUE(got) << Describe(got.error());
    if (!got || *got == 0) return text;
    text.append(reinterpret_cast<const char*>(piece.data()), *got);
  }
}

TEST(ProgramPipeTest, WhatAProgramIsGivenAndSaysTravelsThroughPipes) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    auto in = MakeProgramPipe(*core, "cat").value();
    auto out = MakeProgramPipe(*core, "cat").value();
    const auto process =
        Process::Start(*core, {.words = {"/bin/cat"}, .input = in.its->get(), .output = out.its->get()});
    ASSERT_TRUE(process) << Describe(process.error());
    in.its.reset();
    out.its.reset();
    const std::string text(300'000, 'x');
    TaskGroup writer(*core);
    writer.Spawn("writer", [&] {
      EXPECT_TRUE(in.ours->Write(std::as_bytes(std::span(text))));
      in.ours->Close();
    });
    EXPECT_EQ(ReadAll(*out.ours), text) << "its end is the pipe's end";
    writer.Join();
    EXPECT_TRUE((*process)->AwaitEnd(core->Now() + 60s));
    EXPECT_EQ((*process)->status(), 0);
  });
}

TEST(ProgramPipeTest, APipeEndsWithAProgramThatIsKilled) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    auto out = MakeProgramPipe(*core, "tail").value();
    const auto process =
        Process::Start(*core, {.words = {"/usr/bin/tail", "-f", "/dev/null"}, .output = out.its->get()});
    ASSERT_TRUE(process) << Describe(process.error());
    out.its.reset();
    (*process)->Kill();
    EXPECT_EQ(ReadAll(*out.ours), "");
    EXPECT_FALSE((*process)->disk_bytes()) << "it has ended";
  });
}

TEST(ProgramPipeTest, WhatAProgramWritesToTheDiskIsCounted) {
  const auto core = RealCore::Create();
  core->RunUntilReturned("test", [&] {
    auto in = MakeProgramPipe(*core, "dd").value();
    auto out = MakeProgramPipe(*core, "dd").value();
    const TestFolder folder;
    const std::string file = folder.File("written");
    const auto process = Process::Start(
        *core, {.words = {"/bin/sh", "-c", "head -c 3000000 /dev/zero > " + file + "; echo; cat; rm " + file},
                .input = in.its->get(),
                .output = out.its->get()});
    ASSERT_TRUE(process) << Describe(process.error());
    in.its.reset();
    out.its.reset();
    std::array<std::byte, 1> line{};
    EXPECT_EQ(out.ours->Read(line).value(), 1u);
    // Of children that were waited for, too.
    EXPECT_GE((*process)->disk_bytes().value_or(0), 3'000'000u);
    in.ours->Close();
    EXPECT_TRUE((*process)->AwaitEnd(core->Now() + 60s));
  });
}

}  // namespace
}  // namespace tradewind::runtime
