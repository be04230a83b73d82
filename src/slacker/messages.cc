#include "slacker/messages.h"

#include <algorithm>
#include <utility>

#include "move/message_codec.h"

namespace tradewind::slacker {
namespace {

using Writer = move::MessageWriter;
using Reader = move::MessageReader;

void Put(Writer& to, const PrimaryLogin& login) {
  to.Text(login.user);
  to.Text(login.password);
}
void Put(Writer& to, const Begin& m) {
  Put(to, m.login);
  to.Text(m.version);
  to.Number(static_cast<uint8_t>(m.compressed));
}
void Put(Writer& to, const SnapshotSent& m) {
  to.Number(m.bytes);
}
void Put(Writer& to, const Grant& m) {
  to.Number(m.bytes);
}
void Put(Writer& to, const Reach& m) {
  to.Number(m.round);
  to.Number(static_cast<uint8_t>(m.durable));
  to.Text(m.position.ToString());
}
void Put(Writer& to, const Compare&) {
  to.Number(Compare::kSumsOfRows);
}
void Put(Writer& to, const Used& m) {
  to.Number(m.bytes);
}
void Put(Writer& to, const Follows& m) {
  to.Text(m.position.ToString());
}
void Put(Writer& to, const Reached& m) {
  to.Number(m.round);
  to.Text(m.position.ToString());
}
void Put(Writer& to, const Primary& m) {
  Put(to, m.login);
}
void Put(Writer& to, const CompareAt& m) {
  to.Text(m.position.ToString());
}
void Put(Writer& to, const Difference& m) {
  to.Text(m.text.substr(0, std::min(m.text.size(), Writer::kLongestText)));
}

// What goes into statements is of letters and digits alone.
bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_';
  });
}

Result<PrimaryLogin> ReadLogin(Reader& reader) {
  PrimaryLogin login;
  login.user = reader.Text();
  login.password = reader.Text();
  if (!IsName(login.user) || !IsName(login.password)) return move::CorruptMessage("its login is none");
  return login;
}

Result<bool> ReadFlag(Reader& reader) {
  const auto flag = reader.Number<uint8_t>();
  if (flag > 1) return move::CorruptMessage("it has a flag that is none");
  return flag == 1;
}

Result<Position> ReadPosition(Reader& reader) {
  const auto position = Position::Parse(reader.Text());
  if (!position) return move::CorruptMessage("its position is none");
  return *position;
}

template <typename OneMessage>
Result<Message> WithLogin(Reader& reader) {
  TW_TRY_ASSIGN(PrimaryLogin login, ReadLogin(reader));
  return move::WholeOf(reader, Message(OneMessage{std::move(login)}));
}
Result<Message> ReadBegin(Reader& reader) {
  TW_TRY_ASSIGN(PrimaryLogin login, ReadLogin(reader));
  std::string version = reader.Text();
  TW_TRY_ASSIGN(const bool compressed, ReadFlag(reader));
  return move::WholeOf(reader, Message(Begin{std::move(login), std::move(version), compressed}));
}
template <typename OneMessage>
Result<Message> WithPosition(Reader& reader) {
  TW_TRY_ASSIGN(Position position, ReadPosition(reader));
  return move::WholeOf(reader, Message(OneMessage{std::move(position)}));
}
Result<Message> ReadCompare(Reader& reader) {
  if (reader.Number<uint8_t>() != Compare::kSumsOfRows)
    return move::CorruptMessage("it asks for sums of another version");
  return move::WholeOf(reader, Message(Compare{}));
}
Result<Message> ReadReach(Reader& reader) {
  const auto round = reader.Number<uint32_t>();
  TW_TRY_ASSIGN(const bool durable, ReadFlag(reader));
  TW_TRY_ASSIGN(Position position, ReadPosition(reader));
  return move::WholeOf(reader, Message(Reach{round, std::move(position), durable}));
}
Result<Message> ReadReached(Reader& reader) {
  const auto round = reader.Number<uint32_t>();
  TW_TRY_ASSIGN(Position position, ReadPosition(reader));
  return move::WholeOf(reader, Message(Reached{round, std::move(position)}));
}

}  // namespace

Result<Message> Decode(const move::EngineMessage& message) {
  Reader reader(message.bytes);
  switch (message.type - move::kFirstEngineType) {
    case 0: return ReadBegin(reader);
    case 1: return move::WholeOf(reader, Message(SnapshotSent{reader.Number<uint64_t>()}));
    case 2: return move::WholeOf(reader, Message(Grant{reader.Number<uint64_t>()}));
    case 3: return ReadReach(reader);
    case 4: return ReadCompare(reader);
    case 5: return move::WholeOf(reader, Message(Used{reader.Number<uint64_t>()}));
    case 6: return WithPosition<Follows>(reader);
    case 7: return ReadReached(reader);
    case 8: return WithLogin<Primary>(reader);
    case 9: return WithPosition<CompareAt>(reader);
    case 10: return move::WholeOf(reader, Message(Difference{reader.Text()}));
    default: return move::CorruptMessage("its type is unknown");
  }
}

bool IsBegin(const move::EngineMessage& message) {
  return message.type == move::kFirstEngineType;
}

move::EngineFrame Encode(const Message& message) {
  Writer writer;
  std::visit([&](const auto& m) { Put(writer, m); }, message);
  return {static_cast<uint8_t>(move::kFirstEngineType + message.index()), writer.Take()};
}

// -- Parts

move::Part EncodePart(const ListPart& part) {
  Writer writer(Writer::Of::kPart);
  writer.Text(part.position.ToString());
  return writer.Take();
}
move::Part EncodePart(const SumsPart& part) {
  Writer writer(Writer::Of::kPart);
  writer.Number(static_cast<uint32_t>(part.sums.size()));
  for (const auto& [table, sum] : part.sums) {
    writer.Text(table);
    writer.Number(static_cast<uint8_t>(sum.has_value()));
    if (sum) writer.Number(*sum);
  }
  return writer.Take();
}

template <>
Result<ListPart> DecodePart<ListPart>(Bytes part) {
  Reader reader(part);
  TW_TRY_ASSIGN(Position position, ReadPosition(reader));
  return move::WholeOf(reader, ListPart{std::move(position)});
}
template <>
Result<SumsPart> DecodePart<SumsPart>(Bytes part) {
  Reader reader(part);
  SumsPart sums;
  for (auto count = reader.Number<uint32_t>(); count > 0 && reader.ok(); --count) {
    std::string table = reader.Text();
    std::optional<uint64_t> sum;
    TW_TRY_ASSIGN(const bool has_sum, ReadFlag(reader));
    if (has_sum) sum = reader.Number<uint64_t>();
    if (!sums.sums.emplace(std::move(table), sum).second) return move::CorruptMessage("it has a table twice");
  }
  return move::WholeOf(reader, std::move(sums));
}

}  // namespace tradewind::slacker
