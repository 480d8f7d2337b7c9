import Foundation
import Support
import Testing

/// What is refused, and how it is said: in OpenAI's form, the others undisturbed.
@Suite struct RefusalTests {
  @Test(arguments: [
    ("", "no JSON"), ("{", "no JSON"), ("[]", "an object is expected"), ("{\"a\": 1, \"a\": 2}", "duplicate"),
    (String(repeating: "[", count: 100_000), "nested too deeply"),
    (#"{"model": "large"}"#, "messages"),
    (#"{"messages": [{"role": "user", "content": "x"}]}"#, "the model is missing"),
    (#"{"model": 7, "messages": []}"#, "a string is expected"),
    (#"{"model": "large", "messages": []}"#, "at least one"),
    (#"{"model": "large", "messages": ["x"]}"#, "messages[0] is a string"),
    (#"{"model": "large", "messages": [{"role": "robot", "content": "x"}]}"#, "“robot”"),
    (#"{"model": "large", "messages": [{"role": "user"}]}"#, "messages[0].content"),
    (#"{"model": "large", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}"#, "not text"),
  ])
  func bodiesThatSayNothing(_ body: String, _ cause: String) async throws {
    let fixture = try await ServerFixture.shared.value
    let answer = try await fixture.post("/v1/chat/completions", body)
    let error = try answer.json["error"]
    #expect(answer.status == 400 && error["type"].string == "invalid_request_error")
    #expect(error["message"].string?.contains(cause) == true, "\(error)")
  }

  @Test(arguments: [
    ("temperature", "3"), ("temperature", "\"hot\""), ("top_p", "-0.1"), ("min_p", "2"), ("n", "0"), ("n", "99"),
    ("max_tokens", "-1"), ("max_tokens", "1.5"), ("stop", "7"), ("stop", "[1]"), ("seed", "\"x\""), ("logprobs", "3"),
    ("top_logprobs", "21"), ("top_logprobs", "3"), ("stream", "\"yes\""), ("tools", "[{}]"),
    ("response_format", #"{"type": "xml"}"#), ("response_format", #"{"type": "json_schema"}"#),
    ("response_format", #"{"type": "json_schema", "json_schema": {"schema": {"not": {}}}}"#),
    ("response_format", ##"{"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}"##),
    ("grammar", #""root ::= root \"a\"""#), ("grammar", "3"), ("logit_bias", #"{"1": 2}"#), ("presence_penalty", "1"),
    ("stream_options", #"{"include_usage": true}"#), ("user", "7"), ("echo", "true"),
  ])
  func membersThatCannotBe(_ name: String, _ value: String) async throws {
    let fixture = try await ServerFixture.shared.value
    let answer = try await fixture.chat(#""model": "large", "max_completion_tokens": 1, "\#(name)": \#(value)"#)
    let error = try answer.json["error"]
    #expect(answer.status == 400 && error["param"].string == name, "\(error)")
  }

  @Test func whatClientsSendOutOfHabitIsTaken() async throws {
    let fixture = try await ServerFixture.shared.value
    let answer = try await fixture.chat(
      #""model": "large", "max_tokens": 2, "tools": [], "presence_penalty": 0, "frequency_penalty": 0.0, "logit_bias": null, "response_format": {"type": "text"}, "user": "me", "store": false, "metadata": {}, "stop": null, "top_p": 1, "n": 1, "min_p": 0, "top_k": -1, "seed": -5"#
    )
    #expect(answer.status == 200, "\(answer.text)")
  }

  @Test func halfACharacterIsNoText() async throws {
    let fixture = try await ServerFixture.shared.value
    let port = fixture.port
    let answer = try await blocking {
      let client = try RawClient(port: port)
      let body =
        Array(#"{"model": "large", "messages": [{"role": "user", "content": "caf"#.utf8) + [0xC3] + Array(#""}]}"#.utf8)
      try client.send(
        Array(
          "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n"
            .utf8)
          + body)
      return Answer(client.readToEnd())
    }
    #expect(answer.status == 400 && answer.text.contains("UTF-8"), "\(answer.text)")
  }

  @Test func aPromptBeyondTheContextHasOpenAIsCode() async throws {
    let fixture = try await ServerFixture.shared.value
    let long = Array(repeating: "hello there", count: 300).joined(separator: " ")
    for answer in [
      try await fixture.chat(#""model": "large""#, long),
      try await fixture.post("/v1/completions", #"{"model": "large", "prompt": "\#(long)"}"#),
    ] {
      let error = try answer.json["error"]
      #expect(answer.status == 400 && error["code"].string == "context_length_exceeded")
      #expect(error["message"].string?.contains("256 tokens") == true)
    }
    // A reply may be as long as there is room.
    let full = try await fixture.chat(#""model": "large", "max_tokens": 100000"#).json
    #expect((full["usage"]["total_tokens"].integer ?? .max) <= 257)
  }

  /// A form that cannot be kept is the matter of who asked for it; it says why, and the others go on.
  @Test func formsThatCannotBeKeptSayWhy() async throws {
    let fixture = try await ServerFixture.shared.value
    let grammar = #"root ::= \"[\" "# + String(repeating: "a ", count: 5000) + #"\"]\"\na ::= \"x\" | \"\""#
    let other = #""model": "large", "max_tokens": 60, "temperature": 1, "seed": 3"#
    let expected = try await fixture.chat(other).json["choices"]
    async let beside = fixture.chat(other)
    for stream in [false, true] {
      let answer = try await fixture.chat(#""model": "small", "grammar": "\#(grammar)", "stream": \#(stream)"#)
      let error = try stream ? answer.events.documents.last?["error"] ?? .null : answer.json["error"]
      #expect(answer.status == (stream ? 200 : 400) && error["code"].string == "form_not_kept", "\(error)")
      #expect(error["message"].string?.contains("too many ways") == true, "\(error)")
    }
    #expect(try await beside.json["choices"] == expected)
  }

  @Test func pathsAndMethodsThatAreNone() async throws {
    let fixture = try await ServerFixture.shared.value
    for path in ["/v1", "/page", "/v1/chat", "/../../etc/passwd", "/v1/models/../../x", "/%2e%2e/%2e%2e/etc/passwd"] {
      let answer = try await fixture.get(path)
      #expect(try answer.status == 404 && answer.json["error"]["type"].string == "invalid_request_error", "\(path)")
    }
    let page = try await fixture.get("/")
    #expect(page.status == 200 && page.text.contains("<script src=\"/page.js\">") && !page.text.contains("http"))
    #expect(page.fields["content-security-policy"]?.hasPrefix("default-src 'none'") == true)
    #expect(try await fixture.get("/page.js").status == 200)
    #expect(try await fixture.get("/v1/chat/completions").status == 405)
    #expect(try await fixture.post("/v1/models", "{}").status == 405)
  }

  @Test func onlyWhoHasAKeyIsServed() async throws {
    let keys = ServerFixture.family.deletingLastPathComponent().appending(path: "keys.txt")
    try Data("# for tests\nfirst-key-1\n\n  second-key\n".utf8).write(to: keys)
    let fixture = try await ServerFixture("--key-file", keys.path)
    #expect(try await fixture.get("/health").status == 200)
    for given in [
      [], ["Authorization: Bearer wrong"], ["Authorization: Basic first-key-1"], ["Authorization: Bearer first-key-"],
    ] {
      let answer = try await fixture.get("/v1/models", given)
      #expect(try answer.status == 401 && answer.json["error"]["code"].string == "invalid_api_key")
      #expect(try await fixture.get("/metrics", given).status == 401)
    }
    for key in ["first-key-1", "second-key"] {
      #expect(try await fixture.get("/v1/models", ["Authorization: Bearer \(key)"]).status == 200)
    }
  }

  @Test func pagesOfOthersMayNotAsk() async throws {
    let closed = try await ServerFixture.shared.value
    #expect(try await closed.get("/v1/models", ["Origin: http://evil.example"]).status == 403)
    #expect(try await closed.get("/v1/models", ["Origin: http://localhost"]).status == 200)
    for (host, status) in [
      ("evil.example", 403), ("127.evil.example", 403), ("localhost.evil.example", 403), ("10.0.0.1", 403),
      ("127.0.0.1:80", 200), ("[::1]:80", 200), ("LOCALHOST", 200),
    ] {
      let answer = try await closed.exchange(
        "GET /v1/models HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
      #expect(answer.status == status, "\(host)")
    }
    let open = try await ServerFixture("--allow-origin", "http://page.example")
    let answer = try await open.get("/v1/models", ["Origin: http://page.example"])
    #expect(answer.status == 200 && answer.fields["access-control-allow-origin"] == "http://page.example")
    let preflight = try await open.exchange(
      "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: http://page.example\r\nConnection: close\r\n\r\n"
    )
    #expect(
      preflight.status == 204 && preflight.fields["access-control-allow-headers"]?.contains("Authorization") == true)
    let other = try await open.get("/v1/models", ["Origin: http://other.example"])
    #expect(other.status == 403 && other.fields["access-control-allow-origin"] == nil)
  }
}
