/// A grammar as a machine that reads bytes: every way to read the text so far at once, as stacks of places in rules.
///
/// Stacks share what lies below: a node is a place and the node it returns to. A set of nodes is a state; states and the
/// steps between them are found when they are first needed and kept, so that what comes again costs one look.
struct FormAutomaton {
  /// No way to go on.
  static let dead: Int32 = -1
  private static let unknown: Int32 = -2
  /// Ways to read a text at once, at most.
  private static let mostNodes = 1 << 12
  /// States that are kept, unless one text needs more.
  static let usualStates = 1 << 14

  private struct Node: Hashable {
    /// Of the elements.
    var position: Int32
    /// The node that follows the end of the rule; −1 for the root's.
    var parent: Int32
  }

  private struct Key: Hashable {
    var nodes: [Int32]
    var accepts: Bool
  }

  private let grammar: Grammar
  private var nodes: [Node] = []
  private var nodeNumbers: [Node: Int32] = [:]
  private var states: [Key] = []
  private var stateNumbers: [Key: Int32] = [:]
  /// 256 of each state.
  private var steps: [Int32] = []
  /// Before the first byte.
  private(set) var start: Int32 = 0

  init(_ grammar: Grammar) throws(FormError) {
    self.grammar = grammar
    start = try state(of: grammar.alternatives[grammar.root].map { Node(position: Int32($0), parent: -1) })
  }

  var stateCount: Int { states.count }

  /// Whether the text may end here.
  func accepts(_ state: Int32) -> Bool { states[Int(state)].accepts }

  /// Whether nothing can follow.
  func isFinal(_ state: Int32) -> Bool { states[Int(state)].nodes.isEmpty }

  /// The state after a byte; `dead` where none can be that.
  mutating func step(_ state: Int32, _ byte: UInt8) throws(FormError) -> Int32 {
    let place = Int(state) << 8 | Int(byte)
    let known = steps[place]
    if known != Self.unknown { return known }
    var next: [Node] = []
    for number in states[Int(state)].nodes {
      let node = nodes[Int(number)]
      if case .byte(let range) = grammar.elements[Int(node.position)], range.contains(byte) {
        next.append(Node(position: node.position + 1, parent: node.parent))
      }
    }
    let found = next.isEmpty ? Self.dead : try self.state(of: next)
    steps[place] = found
    return found
  }

  /// The state of these places: those of bytes that they lead to.
  private mutating func state(of places: [Node]) throws(FormError) -> Int32 {
    var open = places
    var seen = Set(places)
    var found: Set<Int32> = []
    var accepts = false
    while let node = open.popLast() {
      if seen.count > Self.mostNodes { throw .tooAmbiguous }
      func visit(_ node: Node) { if seen.insert(node).inserted { open.append(node) } }
      switch grammar.elements[Int(node.position)] {
      case .byte: found.insert(number(of: node))
      case .end:
        if node.parent < 0 { accepts = true } else { visit(nodes[Int(node.parent)]) }
      case .call(let rule):
        // A rule that is called last returns to where its caller does.
        let isLast = grammar.elements[Int(node.position) + 1] == .end
        let parent = isLast ? node.parent : number(of: Node(position: node.position + 1, parent: node.parent))
        for alternative in grammar.alternatives[rule] { visit(Node(position: Int32(alternative), parent: parent)) }
      }
    }
    let key = Key(nodes: found.sorted(), accepts: accepts)
    if let number = stateNumbers[key] { return number }
    let number = Int32(states.count)
    states.append(key)
    stateNumbers[key] = number
    steps += [Int32](repeating: Self.unknown, count: 256)
    return number
  }

  private mutating func number(of node: Node) -> Int32 {
    if let number = nodeNumbers[node] { return number }
    let number = Int32(nodes.count)
    nodes.append(node)
    nodeNumbers[node] = number
    return number
  }
}

extension Grammar {
  /// Whether a text has the form.
  /// - Throws: `FormError.tooAmbiguous`.
  public func matches(_ text: String) throws(FormError) -> Bool {
    var automaton = try FormAutomaton(self)
    var state = automaton.start
    for byte in text.utf8 {
      state = try automaton.step(state, byte)
      if state == FormAutomaton.dead { return false }
    }
    return automaton.accepts(state)
  }
}
