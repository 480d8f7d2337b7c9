/// What is computed in one step of several networks, as numbers: made for each step, of a `JointPlan`.
struct JointStep {
  /// A range as plain numbers.
  struct Span: BitwiseCopyable {
    var start: Int
    var end: Int

    init(_ range: Range<Int>) { (start, end) = (range.lowerBound, range.upperBound) }

    var range: Range<Int> { start..<end }
    var count: Int { end - start }
  }

  /// The tokens of one network, which lie one after another.
  struct Group: BitwiseCopyable {
    var embedding: UnsafeWeights
    var rows: Span
  }

  /// Tokens of a phase whose networks add the same to its projections.
  struct Run: BitwiseCopyable {
    /// Within the phase.
    var rows: Span
    /// Of the plan's.
    var stage: Int
  }

  struct Phase: BitwiseCopyable {
    var stage: Int
    /// Of its tokens, within all, if they lie one after another; else they are gathered.
    var firstRow: Int?
    var parts: Span
    var runs: Span
    var tokens: Int
    /// Of the tokens whose logits are wanted, where it is computed of those alone.
    var wanted: Span?
    var wantedRuns = Span(0..<0)
  }

  /// Networks with the same head.
  struct Output: BitwiseCopyable {
    var head: HeadPlan
    var parts: Span
    var logitsRow: Int
    var logits: Int
  }

  var groups: [Group] = []
  var phases: [Phase] = []
  /// Of phases, their rows counting within the phase.
  var parts: [BatchPart] = []
  var runs: [Run] = []
  /// Where the tokens of `parts` lie among all.
  var homes: [Int] = []
  var outputs: [Output] = []

  /// - Parameter parts: by network, those of one head after another; their rows count on.
  init(_ joint: JointPlan, _ plans: [NetworkPlan?], _ parts: [(network: Int, part: BatchPart)]) {
    var ranges = [Range<Int>](repeating: 0..<0, count: plans.count)
    for (place, entry) in parts.enumerated() {
      ranges[entry.network] = (ranges[entry.network].isEmpty ? place : ranges[entry.network].lowerBound)..<place + 1
    }
    func rows(_ range: Range<Int>) -> Range<Int> {
      parts[range.lowerBound].part.row..<parts[range.upperBound - 1].part.rows.upperBound
    }
    for (network, range) in ranges.enumerated() where !range.isEmpty {
      guard let plan = plans[network] else { continue }
      groups.append(Group(embedding: plan.embedding, rows: Span(rows(range))))
    }
    // In the order of their rows, so that a phase's may lie one after another.
    let order = ranges.indices.sorted { ranges[$0].lowerBound < ranges[$1].lowerBound }
    var rank = [Int](repeating: 0, count: plans.count)
    for (place, network) in order.enumerated() { rank[network] = place }
    for phase in joint.phases {
      let entries = phase.entries.filter { !ranges[$0.network].isEmpty }.sorted { rank[$0.network] < rank[$1.network] }
      guard let first = entries.first else { continue }
      let isWhole = zip(entries, entries.dropFirst()).allSatisfy {
        ranges[$0.network].upperBound == ranges[$1.network].lowerBound
      }
      let firstRow = rows(ranges[first.network]).lowerBound
      var made = Phase(
        stage: first.stage, firstRow: isWhole ? firstRow : nil, parts: Span(self.parts.count..<self.parts.count),
        runs: Span(runs.count..<runs.count), tokens: 0)
      var wanted = 0
      for entry in entries {
        let start = made.tokens
        for index in ranges[entry.network] {
          var part = parts[index].part
          homes.append(part.row)
          part.row = made.tokens
          made.tokens += part.count
          wanted += part.logits
          self.parts.append(part)
        }
        add(entry, start..<made.tokens, since: made.runs.start, variants: entries)
      }
      made.parts.end = self.parts.count
      made.runs.end = runs.count
      if phase.endsNetworks && wanted < made.tokens { narrow(&made, entries, ranges, parts) }
      phases.append(made)
    }
    addOutputs(plans, parts)
  }

  /// Adds tokens of an entry to the last run, if that adds the same, or as a run of their own.
  private mutating func add(
    _ entry: JointPlan.Entry, _ rows: Range<Int>, since first: Int, variants entries: [JointPlan.Entry]
  ) {
    if rows.isEmpty { return }
    if runs.count > first, let last = runs.last,
      entries.first(where: { $0.stage == last.stage })?.variant == entry.variant
    {
      runs[runs.count - 1].rows.end = rows.upperBound
    } else {
      runs.append(Run(rows: Span(rows), stage: entry.stage))
    }
  }

  /// Adds the wanted tokens of a phase.
  private mutating func narrow(
    _ phase: inout Phase, _ entries: [JointPlan.Entry], _ ranges: [Range<Int>],
    _ parts: [(network: Int, part: BatchPart)]
  ) {
    let (firstPart, firstRun) = (self.parts.count, runs.count)
    var row = 0
    for entry in entries {
      let start = row
      for index in ranges[entry.network] where parts[index].part.logits > 0 {
        let part = parts[index].part
        homes.append(part.row + part.count - part.logits)
        self.parts.append(part.wanted(row: row))
        row += part.logits
      }
      add(entry, start..<row, since: firstRun, variants: entries)
    }
    phase.wanted = Span(firstPart..<self.parts.count)
    phase.wantedRuns = Span(firstRun..<runs.count)
  }

  private mutating func addOutputs(_ plans: [NetworkPlan?], _ parts: [(network: Int, part: BatchPart)]) {
    var row = 0
    for (network, part) in parts {
      guard let head = plans[network]?.output else { continue }
      self.parts.append(part)
      homes.append(part.row)
      if let last = outputs.last, last.head.isSame(as: head) {
        outputs[outputs.count - 1].parts.end = self.parts.count
        outputs[outputs.count - 1].logits += part.logits
      } else {
        outputs.append(
          Output(head: head, parts: Span(self.parts.count - 1..<self.parts.count), logitsRow: row, logits: part.logits))
      }
      row += part.logits
    }
  }
}
