import ChatEngine
import Forms
import Foundation
import RemoteChat
import Support
import Testing

@Suite struct ServerProtocolTests {
  @Test(arguments: [
    ("localhost:8080", "http://localhost:8080/v1", "localhost:8080"),
    ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1", "127.0.0.1:8080"),
    ("https://api.example.org", "https://api.example.org/v1", "api.example.org"),
    ("HTTPS://example.org/api/v1", "https://example.org/api/v1", "example.org"),
    ("http://[::1]:8080", "http://[::1]:8080/v1", "[::1]:8080"),
  ]) func addresses(_ text: String, _ base: String, _ name: String) throws {
    let address = try ServerAddress(text)
    #expect(address.base == base && address.name == name)
  }

  @Test(arguments: [
    ("", "is no address"), ("ftp://example.org", "http:// or https://"), ("http://", "is no address"),
    ("http://me:secret@example.org", "--key-file"), ("http://example.org/?x=1", "what follows the path"),
    ("http://a b", "is no address"), ("http://x\u{1B}[31m", "is no address"), ("file:///etc/passwd", "address"),
    ("http://example.org:99999", "no port"),
  ]) func noAddresses(_ text: String, _ cause: String) {
    #expect { _ = try ServerAddress(text) } throws: {
      "\($0)".contains(cause) && !"\($0)".contains("\u{1B}") && !"\($0)".contains("\n")
    }
  }

  @Test func keyFiles() throws {
    #expect { _ = try ServerAddress("x:1", keyFile: "/dev/zero") } throws: {
      "\($0)".hasPrefix("/dev/zero is a device")
    }
    #expect { _ = try ServerAddress("x:1", keyFile: "/no/file") } throws: { "\($0)".hasPrefix("cannot open /no/file") }
  }

  @Test func eventsInAnyPieces() throws {
    let text =
      "\u{FEFF}: hello\r\nevent: x\ndata: one\n\ndata:two\r\ndata: three\r\n\r\nid: 4\n\ndata: [DONE]\r\rdata: lost"
    let whole = ["one", "two\nthree", "[DONE]"]
    for size in [1, 2, 3, 7, 1000] {
      var stream = EventStream()
      var events: [[UInt8]] = []
      let bytes = Array(text.utf8)
      for start in stride(from: 0, to: bytes.count, by: size) {
        events += try stream.next(Array(bytes[start..<min(bytes.count, start + size)]))
      }
      #expect(events.map { String(decoding: $0, as: UTF8.self) } == whole, "\(size)")
    }
    var endless = EventStream()
    #expect(throws: EventStream.EventTooLong.self) { _ = try endless.next([UInt8](repeating: 0x61, count: 5 << 20)) }
  }

  /// What comes of a reply without an end is kept, and no more is taken.
  @Test func aReplyWithoutAnEnd() {
    var stream = ReplyStream()
    let text = String(repeating: "a", count: 1 << 20)
    let event = Array(#"{"choices":[{"delta":{"content":"\#(text)"}}]}"#.utf8)
    #expect(stream.next(event) == [.begun(model: nil), .text(text)])
    for _ in 1..<16 { #expect(stream.next(event) == [.text(text)]) }
    #expect(stream.next(event) == [.failed("the reply is longer than 16 MiB")])
  }

  /// Of many short lines none is too long.
  @Test func anEventWithoutAnEnd() throws {
    var endless = EventStream()
    let lines = Array(String(repeating: "data: 0123456789\n", count: 1 << 16).utf8)
    #expect(throws: EventStream.EventTooLong.self) { for _ in 0..<10 { _ = try endless.next(lines) } }
  }

  @Test func countsThatCannotBe() throws {
    for count in [Int.max, Int.min, -1] {
      let list =
        #"{"data": [{"id": "a", "context_length": \#(count), "meta": {"n_params": \#(count), "size": \#(count)}}]}"#
      let summary = try #require(try models(list)).summary
      #expect(summary.contextLength == 0 && summary.stops[0].parameters == 0 && summary.stops[0].weightBytes == 0)
      var reply = ReplyStream()
      let usage = """
        {"choices": [{"delta": {"content": "x"}}],
         "usage": {"prompt_tokens": \(count), "completion_tokens": \(count)}}
        """
      #expect(reply.next(Array(usage.utf8)) == [.begun(model: nil), .text("x")])
      let stamp = reply.stamp("a", adapterStep: nil, dropped: 0, isCancelled: false, start: .now, about: 7)
      #expect(stamp.tokens == 1 && stamp.contextTokens == 8)
    }
  }

  private func models(_ text: String) throws -> ServerModels? {
    ServerModels(try JSONValue(utf8: text.utf8), server: try ServerAddress("127.0.0.1:8080"))
  }

  @Test func aFamilysSizesAreItsStops() throws {
    let list = """
      {"data": [
        {"id": "tiny/large", "context_length": 512, "stitch": {"id": "large", "route": "large[0..<8]", "parameters": 4000,
          "flops_per_token": 8000, "weight_bytes": 16000, "quality": 0.9, "loss": 1.5, "tokens_per_second": 300, "adapter_step": 40}},
        {"id": "tiny/small-large@3", "stitch": {"id": "small-large@3", "flops_per_token": 5000, "quality": 7}},
        {"id": "tiny/small", "stitch": {"id": "small", "flops_per_token": 900}},
        {"id": "tiny", "stitch": {"id": "large", "flops_per_token": 8000}},
        {"id": "tiny/auto", "stitch": {"id": "small", "flops_per_token": 900}}
      ]}
      """
    let models = try #require(try models(list))
    let summary = models.summary
    #expect(summary.name == "tiny" && summary.server == "127.0.0.1:8080" && summary.contextLength == 512)
    #expect(summary.stops.map(\.id) == ["small", "small-large@3", "large"] && summary.adapterStep == 40)
    let large = try #require(summary.stops.last)
    #expect(large.quality == 0.9 && large.loss == 1.5 && large.tokensPerSecond == 300 && large.parameters == 4000)
    // What cannot be is not believed.
    #expect(summary.stops[1].quality == nil)
    #expect(models.name(of: "small") == "tiny/small" && models.name(of: "small-large@1") == "tiny/small-large@1")
    #expect(models.stop(of: "tiny/small-large@3") == "small-large@3" && models.stop(of: "tiny/auto") == nil)
  }

  @Test func othersTellWhatTheyTell() throws {
    let models = try #require(
      try models(
        #"{"data": [{"id": "m.gguf", "meta": {"n_params": 135, "size": 98, "n_ctx_train": 2048}}, {"id": "b"}]}"#))
    #expect(models.summary.stops.map(\.parameters) == [135, 0] && models.summary.contextLength == 2048)
    #expect(models.name(of: "b") == "b")
    for text in ["7", "{}", #"{"data": {}}"#, #"{"data": [{"id": ""}, 3]}"#] { #expect(try self.models(text) == nil) }
  }

  @Test func formsGoAlong() throws {
    var options = ReplyOptions()
    options.form = .schema(#"{"properties": {"z": {}, "a": {}}}"#)
    let call = ReplyCall(model: "m", messages: [.init(role: .user, content: "x")], options: options)
    // A schema's properties keep their order.
    #expect(
      String(decoding: call.body, as: UTF8.self).hasSuffix(
        ##""response_format":{"type":"json_schema","json_schema":{"name":"reply","schema":{"properties":{"z":{},"a":{}}},"strict":true}}}"##
      ))
    options.form = .grammar("root ::= \"x\"")
    let other = ReplyCall(model: "m", messages: [], options: options)
    #expect(String(decoding: other.body, as: UTF8.self).contains(##""grammar":"root ::= \"x\"""##))
  }
}
