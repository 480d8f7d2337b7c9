import FamilyFixture
import Foundation
import Support
import Testing

/// Many clients at once: each has its own reply, the same as alone; those that go are no burden.
@Suite struct ManyAtOnceTests {
  /// What one client asks: sizes, lengths, seeds and prompts of all kinds.
  private static func asked(_ index: Int) -> (members: String, content: String) {
    let model = RandomFamily.stitchIDs[index % 5]
    let stream = index % 4 == 0
    let members =
      #""model": "\#(model)", "max_tokens": \#(3 + index % 17), "temperature": \#(index % 3 == 0 ? 0 : 1.1), "seed": \#(index), "top_p": 0.95, "stream": \#(stream)"#
    return (members, String(repeating: "one two three ", count: 1 + index % 9) + "\(index)")
  }

  private static func content(_ answer: Answer) throws -> String? {
    if answer.fields["content-type"]?.hasPrefix("text/event-stream") == true {
      let (documents, isDone) = try answer.events
      return isDone ? documents.compactMap { $0["choices"][0]["delta"]["content"].string }.joined() : nil
    }
    return try answer.json["choices"][0]["message"]["content"].string
  }

  @Test func aReplyIsTheSameAloneAndAmongMany() async throws {
    let count = 48
    let alone = try await ServerFixture("--parallel", "1")
    var expected: [String?] = []
    for index in 0..<count {
      let (members, content) = Self.asked(index)
      expected.append(try Self.content(try await alone.chat(members, content)))
    }
    #expect(Set(expected).count > count / 2 && !expected.contains(nil))
    // Memory for more places than texts under way, and for one text at a time.
    for memory in ["256", "1"] {
      let fixture = try await ServerFixture("--parallel", "6", "--cache-memory", memory)
      let found = try await withThrowingTaskGroup(of: (Int, String?).self) { group in
        for index in 0..<count {
          group.addTask {
            let (members, content) = Self.asked(index)
            return (index, try Self.content(try await fixture.chat(members, content)))
          }
        }
        return try await group.reduce(into: [Int: String?]()) { $0[$1.0] = $1.1 }
      }
      for index in 0..<count { #expect(found[index] == expected[index], "\(index)") }
    }
  }

  @Test func whoGoesIsNoLongerComputedFor() async throws {
    let fixture = try await ServerFixture("--parallel", "2")
    let port = fixture.port
    let (members, _) = (#""model": "large", "max_tokens": 200, "temperature": 1, "seed": 5"#, "")
    let expected = try Self.content(try await fixture.chat(members))
    for isStreamed in [true, false] {
      try await blocking {
        let body = #"{"messages": [{"role": "user", "content": "hello there"}], \#(members), "stream": \#(isStreamed)}"#
        for _ in 0..<6 {
          let client = try RawClient(port: port)
          try client.send(
            Array(
              "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                .utf8))
          if isStreamed { _ = client.read() }
          client.hangUp()
        }
      }
      // Whoever stays is undisturbed, and has the places of those that went.
      #expect(try Self.content(try await fixture.chat(members)) == expected)
    }
    while case let health = try await fixture.get("/health").json,
      health["running"].integer != 0 || health["waiting"].integer != 0
    {
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(try await fixture.get("/metrics").text.contains("stitch_connections 1\n"))
  }

  @Test func moreThanMayWaitAreToldToComeAgain() async throws {
    let fixture = try await ServerFixture("--parallel", "1", "--queue", "1")
    let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
      for index in 0..<12 {
        group.addTask {
          try await fixture.chat(#""model": "large", "max_tokens": 150, "temperature": 1, "seed": \#(index)"#)
        }
      }
      return try await group.reduce(into: [Answer]()) { $0.append($1) }
    }
    let refused = answers.filter { $0.status == 429 }
    #expect(!refused.isEmpty && answers.allSatisfy { [200, 429].contains($0.status) })
    #expect(answers.contains { $0.status == 200 })
    for answer in refused {
      #expect((1...60).contains(Int(answer.fields["retry-after"] ?? "") ?? 0))
      #expect(try answer.json["error"]["code"].string == "rate_limit_exceeded")
    }
    #expect(try await fixture.chat(#""model": "large", "max_tokens": 1"#).status == 200)
  }
}
