#include "zephyr/messages.h"

#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "move/message_codec.h"

namespace tradewind::zephyr {

namespace {

using Writer = move::MessageWriter;
using Reader = move::MessageReader;

// The contents come first, so that what is received needs no copy of them.
constexpr size_t kPagesTail = sizeof(uint32_t) + 1;

void Put(Writer& to, const Pages& m) {
  to.Reserve(m.contents.size() + m.numbers.size() * 4 + kPagesTail);
  to.Raw(m.contents);
  for (const PageNumber page : m.numbers) to.Number(page.value);
  to.Number(static_cast<uint32_t>(m.numbers.size()));
  to.Number(static_cast<uint8_t>(m.pushed));
}
void Put(Writer& to, const Prepare& m) {
  to.Number(m.page_count);
}
void Put(Writer&, const Prepared&) {}
void Put(Writer& to, const Pull& m) {
  to.Number(m.page.value);
}
void Put(Writer& to, const Ack& m) {
  to.Number(m.bytes);
}
void Put(Writer& to, const Hashes& m) {
  to.Number(m.first.value);
  to.Words(m.values);
}

Result<Message> DecodePages(std::vector<std::byte> bytes) {
  if (bytes.size() < kPagesTail) return move::CorruptMessage("its pages do not fill it");
  Pages pages;
  uint32_t count = 0;
  std::memcpy(&count, bytes.data() + bytes.size() - kPagesTail, sizeof count);
  pages.pushed = bytes.back() != std::byte{0};
  const size_t rest = bytes.size() - kPagesTail;
  if (count == 0 || count > rest / sizeof(uint32_t)) return move::CorruptMessage("its pages do not fill it");
  const size_t contents = rest - size_t{count} * sizeof(uint32_t);
  if (contents % count != 0) return move::CorruptMessage("its pages do not fill it");
  pages.numbers.resize(count);
  for (size_t index = 0; index < count; ++index)
    std::memcpy(&pages.numbers[index].value, bytes.data() + contents + index * sizeof(uint32_t),
                sizeof(uint32_t));
  bytes.resize(contents);
  pages.contents = std::move(bytes);
  return pages;
}

}  // namespace

move::EngineFrame Encode(const Message& message) {
  Writer writer;
  std::visit([&](const auto& m) { Put(writer, m); }, message);
  return {static_cast<uint8_t>(move::kFirstEngineType + message.index()), writer.Take()};
}

move::EngineFrame EncodePages(const Pages& pages) {
  Writer writer;
  Put(writer, pages);
  return {move::kFirstEngineType, writer.Take()};
}

bool IsPages(const move::EngineMessage& message) {
  return message.type == move::kFirstEngineType;
}

Result<Message> Decode(move::EngineMessage message) {
  Reader reader(message.bytes);
  switch (message.type - move::kFirstEngineType) {
    case 0: return DecodePages(std::move(message.bytes));
    case 1: {
      const Prepare prepare{reader.Number<uint32_t>()};
      // From this the destination lays out memory and files.
      if (prepare.page_count > kMostPages)
        return move::CorruptMessage("its file is larger than a list can tell");
      return move::WholeOf(reader, Message(prepare));
    }
    case 2: return move::WholeOf(reader, Message(Prepared{}));
    case 3: return move::WholeOf(reader, Message(Pull{PageNumber{reader.Number<uint32_t>()}}));
    case 4: return move::WholeOf(reader, Message(Ack{reader.Number<uint32_t>()}));
    case 5: {
      Hashes hashes;
      hashes.first.value = reader.Number<uint32_t>();
      hashes.values = reader.Words();
      return move::WholeOf(reader, Message(std::move(hashes)));
    }
    default: return move::CorruptMessage("its type is unknown");
  }
}

Result<void> Send(move::MoveChannel& channel, const Message& message, move::Urgency urgency) {
  return channel.Send(Encode(message), urgency);
}

// -- Parts

move::Part EncodePart(const CopyPart& part) {
  Writer writer(Writer::Of::kPart);
  writer.Number(part.page_size);
  return writer.Take();
}
move::Part EncodePart(const GreetingPart& part) {
  Writer writer(Writer::Of::kPart);
  writer.Words(part.arrived);
  writer.Words(part.present);
  return writer.Take();
}
move::Part EncodePart(const ListPart& part) {
  Writer writer(Writer::Of::kPart);
  writer.Number(part.page_count);
  writer.Words(part.handed);
  writer.Words(part.free);
  return writer.Take();
}
move::Part EncodePart(const SumPart& part) {
  Writer writer(Writer::Of::kPart);
  writer.Number(part.sum);
  writer.Number(part.pages);
  writer.Number(part.sent);
  return writer.Take();
}
move::Part EncodePart(const FiguresPart& part) {
  Writer writer(Writer::Of::kPart);
  writer.Number(part.pulls);
  writer.Number(part.pull_p50_us);
  writer.Number(part.pull_p99_us);
  return writer.Take();
}

template <>
Result<CopyPart> DecodePart<CopyPart>(Bytes part) {
  Reader reader(part);
  const CopyPart copy{reader.Number<uint32_t>()};
  if (!reader.at_end()) return move::CorruptMessage("it does not have its length");
  if (copy.page_size < 512 || copy.page_size > 65536 || !std::has_single_bit(copy.page_size))
    return move::CorruptMessage("its page size is none of SQLite's");
  return copy;
}
template <>
Result<GreetingPart> DecodePart<GreetingPart>(Bytes part) {
  GreetingPart greeting;
  if (part.empty()) return greeting;
  Reader reader(part);
  greeting.arrived = reader.Words();
  greeting.present = reader.Words();
  return move::WholeOf(reader, std::move(greeting));
}
template <>
Result<ListPart> DecodePart<ListPart>(Bytes part) {
  Reader reader(part);
  ListPart list;
  list.page_count = reader.Number<uint32_t>();
  list.handed = reader.Words();
  list.free = reader.Words();
  if (!reader.at_end()) return move::CorruptMessage("it does not have its length");
  if (list.page_count > kMostPages) return move::CorruptMessage("its file is larger than a list can tell");
  return list;
}
template <>
Result<SumPart> DecodePart<SumPart>(Bytes part) {
  Reader reader(part);
  SumPart sum;
  sum.sum = reader.Number<uint64_t>();
  sum.pages = reader.Number<uint32_t>();
  sum.sent = reader.Number<uint32_t>();
  return move::WholeOf(reader, sum);
}
template <>
Result<FiguresPart> DecodePart<FiguresPart>(Bytes part) {
  Reader reader(part);
  FiguresPart figures;
  figures.pulls = reader.Number<uint64_t>();
  figures.pull_p50_us = reader.Number<uint32_t>();
  figures.pull_p99_us = reader.Number<uint32_t>();
  return move::WholeOf(reader, figures);
}

}  // namespace tradewind::zephyr
