import ChatEngine
import FamilyFixture
import Foundation
import Support
import Testing
import Tokenizer

/// OpenAI's API as clients use it, over a socket.
@Suite struct ChatAPITests {
  @Test func aReplyIsWholeOrStreamedAndTheSame() async throws {
    let fixture = try await ServerFixture.shared.value
    let asked = #""model": "random/large", "max_tokens": 24, "temperature": 0.9, "seed": 7"#
    let whole = try await fixture.chat(asked)
    #expect(whole.status == 200 && whole.fields["content-type"] == "application/json")
    let reply = try whole.json
    #expect(reply["object"].string == "chat.completion" && reply["model"].string == "random/large")
    let choice = reply["choices"][0]
    let content = try #require(choice["message"]["content"].string)
    #expect(!content.isEmpty && choice["message"]["role"].string == "assistant")
    #expect(["stop", "length"].contains(choice["finish_reason"].string))
    let usage = reply["usage"]
    #expect((1...24).contains(usage["completion_tokens"].integer ?? 0))
    #expect(
      usage["total_tokens"].integer
        == (usage["prompt_tokens"].integer ?? 0) + (usage["completion_tokens"].integer ?? 0))

    let streamed = try await fixture.chat(asked + #", "stream": true, "stream_options": {"include_usage": true}"#)
    #expect(streamed.status == 200 && streamed.fields["content-type"]?.hasPrefix("text/event-stream") == true)
    let (documents, isDone) = try streamed.events
    #expect(isDone && documents.allSatisfy { $0["object"].string == "chat.completion.chunk" })
    #expect(Set(documents.map { $0["id"].string }).count == 1)
    #expect(documents.first?["choices"][0]["delta"]["role"].string == "assistant")
    #expect(documents.compactMap { $0["choices"][0]["delta"]["content"].string }.joined() == content)
    let last = documents[documents.count - 2]["choices"][0]
    #expect(last["finish_reason"] == choice["finish_reason"] && last["delta"] == .object([:]))
    #expect(documents.last?["choices"] == .array([]))
    #expect(documents.last?["usage"]["completion_tokens"] == usage["completion_tokens"])
    #expect(documents.dropLast().allSatisfy { $0.object?["usage"] == .null })
  }

  @Test func aReplyKeepsTheFormThatIsAskedFor() async throws {
    let fixture = try await ServerFixture.shared.value
    // The order is the schema's, not that of the alphabet.
    let schema =
      ##"{"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "minimum": 0, "maximum": 99}, "kinds": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3}}, "required": ["name", "age"], "additionalProperties": false}"##
    let asked =
      #""model": "large", "temperature": 1.5, "seed": 5, "max_tokens": 200, "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": \#(schema)}}"#
    let reply = try await fixture.chat(asked + #", "n": 4, "logprobs": true, "top_logprobs": 2"#).json
    let choices = try #require(reply["choices"].array)
    #expect(choices.count == 4)
    for choice in choices {
      let text = try #require(choice["message"]["content"].string)
      #expect(choice["finish_reason"].string == "stop" && text.hasPrefix("{"), "\(text)")
      let document = try JSONValue(utf8: text.utf8)
      #expect(
        (document["name"].string?.count ?? 99) <= 8 && (0...99).contains(document["age"].integer ?? -1), "\(text)")
      #expect(Set((document.object ?? [:]).keys).isSubset(of: ["name", "age", "kinds"]))
      let places = [text.range(of: "\"name\""), text.range(of: "\"age\"")].compactMap { $0?.lowerBound }
      #expect(places.count == 2 && places[0] < places[1])
    }
    // Alone it is the same, and streamed.
    let alone = try await fixture.chat(asked).json["choices"][0]["message"]["content"]
    #expect(alone == choices[0]["message"]["content"])
    let events = try await fixture.chat(asked + #", "stream": true"#).events.documents
    #expect(events.compactMap { $0["choices"][0]["delta"]["content"].string }.joined() == alone.string)

    let word = try await fixture.chat(#""model": "large", "grammar": "root ::= \"yes\" | \"no\"""#).json["choices"][0]
    #expect(["yes", "no"].contains(word["message"]["content"].string) && word["finish_reason"].string == "stop")
  }

  @Test func everyStopIsAModel() async throws {
    let fixture = try await ServerFixture.shared.value
    let list = try await fixture.get("/v1/models").json
    let names = try #require(list["data"].array).compactMap { $0["id"].string }
    #expect(names == RandomFamily.stitchIDs.map { "random/\($0)" } + ["random", "random/auto"])
    for name in ["random/small", "small", "random", "random%2Fsmall-large@2", "small-large@2", "random@60", "random@1"]
    {
      #expect(try await fixture.get("/v1/models/\(name)").status == 200, "\(name)")
    }
    #expect(try await fixture.get("/v1/models/random").json["stitch"]["id"].string == "large")
    #expect(try await fixture.get("/v1/models/random@1").json["stitch"]["id"].string == "small")
    #expect(try await fixture.get("/v1/models/random@100").json["stitch"]["id"].string == "large")
    for name in ["tiny", "random/huge", "random@0", "random@101", "random@x", "../../etc/passwd"] {
      let answer = try await fixture.get("/v1/models/\(name)")
      #expect(answer.status == 404, "\(name)")
      let error = try answer.json["error"]
      #expect(error["code"].string == "model_not_found" && error["message"].string?.contains("random/large") == true)
    }
    // Different sizes say different things.
    let replies = try await ["small", "large"].asyncMap { name in
      try await fixture.chat(#""model": "\#(name)", "max_tokens": 16"#).json["choices"][0]["message"]["content"].string
    }
    #expect(Set(replies).count == 2)
  }

  @Test func theSizeGoesByTheLoad() async throws {
    // No stop is that fast, and every one is that slow.
    for (speed, size) in [("1e12", "random/small"), ("1e-6", "random/large")] {
      let fixture = try await ServerFixture("--speed", speed)
      _ = try await fixture.chat(#""model": "large", "max_tokens": 5"#)
      let reply = try await fixture.chat(#""model": "random/auto", "max_tokens": 5"#).json
      #expect(reply["model"].string == size)
    }
  }

  @Test func textEndsAtAStopString() async throws {
    let fixture = try await ServerFixture.shared.value
    let asked = #""model": "large", "max_tokens": 40, "temperature": 1, "seed": 3"#
    let content = try #require(
      try await fixture.chat(asked).json["choices"][0]["message"]["content"].string)
    let middle = content.index(content.startIndex, offsetBy: content.count / 2)
    let stop = String(content[middle...].prefix(2))
    let escaped = String(decoding: JSONEncoding.text(stop), as: UTF8.self)
    for written in [escaped, "[\"never to be seen\", \(escaped)]"] {
      for isStreamed in [false, true] {
        let answer = try await fixture.chat(asked + #", "stop": \#(written), "stream": \#(isStreamed)"#)
        let found =
          try isStreamed
          ? answer.events.documents.compactMap { $0["choices"][0]["delta"]["content"].string }.joined()
          : answer.json["choices"][0]["message"]["content"].string
        #expect(found == String(content[..<content.range(of: stop)!.lowerBound]))
        let reason =
          try isStreamed
          ? answer.events.documents.last?["choices"][0]["finish_reason"] : answer.json["choices"][0]["finish_reason"]
        #expect(reason?.string == "stop")
      }
    }
  }

  @Test func severalChoicesHaveSeedsOfTheirOwn() async throws {
    let fixture = try await ServerFixture.shared.value
    let asked = #""model": "large", "max_tokens": 40, "temperature": 2, "seed": 11"#
    let one = try await fixture.chat(asked).json["choices"].array ?? []
    let three = try await fixture.chat(asked + #", "n": 3"#).json["choices"].array ?? []
    #expect(three.count == 3 && three.map { $0["index"].integer } == [0, 1, 2])
    #expect(three[0]["message"] == one[0]["message"])
    #expect(Set(three.compactMap { $0["message"]["content"].string }).count == 3)
    let streamed = try await fixture.chat(asked + #", "n": 3, "stream": true"#).events.documents
    for index in 0..<3 {
      let content = streamed.filter { $0["choices"][0]["index"].integer == index }
        .compactMap { $0["choices"][0]["delta"]["content"].string }.joined()
      #expect(content == three[index]["message"]["content"].string)
    }
  }

  @Test func tokensTellHowLikelyTheyWere() async throws {
    let fixture = try await ServerFixture.shared.value
    let answer = try await fixture.chat(
      #""model": "large", "max_tokens": 8, "logprobs": true, "top_logprobs": 4"#)
    let content = try #require(answer.json["choices"][0]["logprobs"]["content"].array)
    #expect(!content.isEmpty)
    for token in content {
      let top = try #require(token["top_logprobs"].array)
      let values = top.compactMap { $0["logprob"].double }
      #expect(top.count == 4 && values == values.sorted(by: >) && values.allSatisfy { $0 <= 0 })
      // The most likely token was taken.
      #expect(token["logprob"] == top[0]["logprob"] && token["token"] == top[0]["token"])
      #expect(token["bytes"].array?.isEmpty == false)
    }
    let old = try await fixture.post(
      "/v1/completions", #"{"model": "large", "prompt": "the cat", "max_tokens": 5, "logprobs": 2}"#)
    let logprobs = try old.json["choices"][0]["logprobs"]
    #expect(logprobs["tokens"].array?.count == logprobs["token_logprobs"].array?.count)
    #expect(logprobs["text_offset"][0].integer == 0 && logprobs["top_logprobs"][0].object?.count == 2)
  }

  @Test func completionsTakeTextTokensAndListsOfThem() async throws {
    let fixture = try await ServerFixture.shared.value
    func texts(_ prompt: String) async throws -> [String?] {
      let answer = try await fixture.post(
        "/v1/completions", #"{"model": "large", "prompt": \#(prompt), "max_tokens": 9}"#)
      #expect(try answer.status == 200 && answer.json["object"].string == "text_completion")
      return try answer.json["choices"].array?.map { $0["text"].string } ?? []
    }
    let tokenizer = try TextFamily(ServerFixture.family).tokenizer
    let ids = try tokenizer.textStart + tokenizer.encode(bytes: Array("the cat".utf8))
    let text = try await texts("\"the cat\"")
    #expect(text.count == 1 && text[0]?.isEmpty == false)
    #expect(try await texts("\(ids)") == text)
    #expect(try await texts("[\"the cat\"]") == text)
    let two = try await texts("[\"the cat\", \"hello\"]")
    #expect(two.count == 2 && two[0] == text[0])
    #expect(try await texts("[\(ids), \(ids)]") == text + text)
    #expect(try await texts("\"\"").count == 1)
  }

  @Test func theBeginningOfAConversationIsNotComputedTwice() async throws {
    let fixture = try await ServerFixture()
    func ask(_ fixture: ServerFixture, _ messages: String) async throws -> JSONValue {
      try await fixture.post(
        "/v1/chat/completions", #"{"model": "large", "max_tokens": 10, "messages": [\#(messages)]}"#
      ).json
    }
    let first = #"{"role": "system", "content": "be brief"}, {"role": "user", "content": "one two three four five"}"#
    let reply = try await ask(fixture, first)
    #expect(reply["usage"]["prompt_tokens_details"]["cached_tokens"].integer == 0)
    let content = try #require(reply["choices"][0]["message"]["content"].string)
    let said = String(decoding: JSONEncoding.text(content), as: UTF8.self)
    let second = first + #", {"role": "assistant", "content": \#(said)}, {"role": "user", "content": "and on"}"#
    let further = try await ask(fixture, second)
    let cached = further["usage"]["prompt_tokens_details"]["cached_tokens"].integer ?? 0
    #expect(cached >= (reply["usage"]["prompt_tokens"].integer ?? .max) - 1)
    // What is cached makes no difference.
    let anew = try await ask(try await ServerFixture(), second)
    #expect(anew["usage"]["prompt_tokens_details"]["cached_tokens"].integer == 0)
    #expect(anew["choices"] == further["choices"])
  }

  @Test func healthAndMetricsTellHowItGoes() async throws {
    let fixture = try await ServerFixture()
    #expect(try await fixture.get("/health").json["status"].string == "ok")
    _ = try await fixture.chat(#""model": "small", "max_tokens": 5"#)
    let answer = try await fixture.get("/metrics")
    #expect(answer.fields["content-type"]?.hasPrefix("text/plain; version=0.0.4") == true)
    let text = answer.text
    #expect(text.contains("stitch_requests_total{route=\"/v1/chat/completions\",status=\"200\"} 1\n"))
    #expect(text.contains("# TYPE stitch_first_token_seconds histogram\n"))
    #expect(text.contains("stitch_first_token_seconds_count 1\n"))
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      #expect(line.wholeMatch(of: /stitch_[a-z_]+(?:\{[^}]*\})? [0-9.e+-]+/) != nil, "\(line)")
    }
  }
}

enum JSONEncoding {
  /// A text as JSON.
  static func text(_ text: String) -> Data {
    do { return try JSONEncoder().encode(text) } catch { return Data() }
  }
}

extension Array {
  func asyncMap<Result>(_ transform: (Element) async throws -> Result) async throws -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await transform(element)) }
    return results
  }
}
