/// Server-sent events: the data of each, out of bytes that come in any pieces.
package struct EventStream {
  /// A line, or the lines of an event, are longer than any that a server has reason to send.
  package struct EventTooLong: Error {}

  private static let longest = 4 << 20
  private var line: [UInt8] = []
  /// The last byte was CR, of which LF may be the rest.
  private var wasReturn = false
  /// Of the event under way.
  private var data: [UInt8]?

  package init() {}

  /// The data of the events that are whole now, in order.
  package mutating func next(_ bytes: [UInt8]) throws(EventTooLong) -> [[UInt8]] {
    var events: [[UInt8]] = []
    for byte in bytes {
      let isRest = wasReturn && byte == UInt8(ascii: "\n")
      wasReturn = byte == UInt8(ascii: "\r")
      if isRest { continue }
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        if let event = try endLine() { events.append(event) }
      } else {
        line.append(byte)
        if line.count > Self.longest { throw EventTooLong() }
      }
    }
    return events
  }

  /// An empty line ends an event.
  private mutating func endLine() throws(EventTooLong) -> [UInt8]? {
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
    guard (data?.count ?? 0) + value.count < Self.longest else { throw EventTooLong() }
    if data == nil {
      data = Array(value)
    } else {
      // In place: an event may have many lines.
      data?.append(UInt8(ascii: "\n"))
      data?.append(contentsOf: value)
    }
    return nil
  }
}
