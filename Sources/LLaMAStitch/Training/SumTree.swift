/// The fixed order in which the gradients of a step's parts are added up: a binary tree over the parts.
///
/// Floats are not associative: a sum that is added up in another order ends in other bytes. Here the order follows from
/// the number of parts alone, so that it is the same whoever computes which of them, and neighbouring parts can be added
/// up where they are computed. A node of 2ᵏ < n ≤ 2ᵏ⁺¹ parts is the sum of its first 2ᵏ and of the rest.
package struct SumTree {
  /// How many parts there are.
  package let count: Int

  package init(count: Int) { self.count = count }

  /// The two nodes that a node of more than one part is the sum of.
  package static func halves(_ node: Range<Int>) -> (first: Range<Int>, second: Range<Int>) {
    var size = 1
    while 2 * size < node.count { size *= 2 }
    return (node.lowerBound..<node.lowerBound + size, node.lowerBound + size..<node.upperBound)
  }

  /// The largest nodes that some neighbouring parts make up, in order.
  package func nodes(within parts: Range<Int>) -> [Range<Int>] {
    func visit(_ node: Range<Int>) -> [Range<Int>] {
      let common = node.clamped(to: parts)
      if common.isEmpty { return [] }
      if common == node { return [node] }
      let (first, second) = Self.halves(node)
      return visit(first) + visit(second)
    }
    return count == 0 ? [] : visit(0..<count)
  }

  /// Whether a sum of two neighbouring nodes is one, too.
  func isNode(_ range: Range<Int>) -> Bool { nodes(within: range) == [range] }

  /// Adds up the sums of `nodes`, which are all parts, in order: `add` adds the second's to the first's.
  package func complete<Sum>(_ nodes: [Range<Int>], _ sums: [Sum], add: (_ second: Sum, _ first: Sum) -> Void) -> Sum {
    let places = Dictionary(uniqueKeysWithValues: zip(nodes, nodes.indices))
    func visit(_ node: Range<Int>) -> Sum {
      if let place = places[node] { return sums[place] }
      let (first, second) = Self.halves(node)
      let (sum, other) = (visit(first), visit(second))
      add(other, sum)
      return sum
    }
    return visit(0..<count)
  }
}
