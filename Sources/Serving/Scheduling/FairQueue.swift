/// What waits, by client: each client's turn comes as often as any other's, whoever asked for more.
package struct FairQueue<Element> {
  private struct Line {
    let client: String
    var elements: [Element]
  }

  /// Whose turn comes next is first.
  private var lines: [Line] = []
  package private(set) var count = 0

  package init() {}

  package mutating func append(_ element: Element, of client: String) {
    count += 1
    if let index = lines.firstIndex(where: { $0.client == client }) {
      lines[index].elements.append(element)
    } else {
      lines.append(Line(client: client, elements: [element]))
    }
  }

  /// Takes the first element of the next client that has one for which there is room.
  package mutating func takeFirst(where hasRoom: (Element) -> Bool) -> Element? {
    for place in lines.indices {
      guard let index = lines[place].elements.firstIndex(where: hasRoom) else { continue }
      var line = lines.remove(at: place)
      let element = line.elements.remove(at: index)
      if !line.elements.isEmpty { lines.append(line) }
      count -= 1
      return element
    }
    return nil
  }

  /// Takes out what nobody waits for any more.
  package mutating func removeAll(where isGone: (Element) -> Bool) -> [Element] {
    var removed: [Element] = []
    for place in lines.indices {
      removed += lines[place].elements.filter(isGone)
      lines[place].elements.removeAll(where: isGone)
    }
    lines.removeAll { $0.elements.isEmpty }
    count -= removed.count
    return removed
  }

  package func contains(where predicate: (Element) -> Bool) -> Bool {
    lines.contains { $0.elements.contains(where: predicate) }
  }
}
