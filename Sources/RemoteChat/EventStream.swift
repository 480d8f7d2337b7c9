/// Server-sent events: the data of each, out of bytes that come in any pieces.
package struct EventStream {
  /// A line was longer than any that a server has reason to send.
  package struct LineTooLong: Error {}

  private static let longest = 4 << 20
  private var line: [UInt8] = []
  /// The last byte was CR, of which LF may be the rest.
  private var wasReturn = false
  /// Of the event under way.
  private var data: [UInt8]?

  package init() {}

  /// The data of the events that are whole now, in order.
  package mutating func next(_ bytes: [UInt8]) throws(LineTooLong) -> [[UInt8]] {
    var events: [[UInt8]] = []
    for byte in bytes {
      let isRest = wasReturn && byte == UInt8(ascii: "\n")
      wasReturn = byte == UInt8(ascii: "\r")
      if isRest { continue }
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        if let event = endLine() { events.append(event) }
      } else {
        line.append(byte)
        if line.count > Self.longest { throw LineTooLong() }
      }
    }
    return events
  }

  /// An empty line ends an event.
  private mutating func endLine() -> [UInt8]? {
    defer { line.removeAll(keepingCapacity: true) }
    if line.isEmpty {
      defer { data = nil }
      return data
    }
    let name = Array("data:".utf8)
    // Comments, names and numbers of events say nothing here.
    guard line.starts(with: name) else { return nil }
    var value = line[name.count...]
    if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
    data = data.map { $0 + [UInt8(ascii: "\n")] + value } ?? Array(value)
    return nil
  }
}
