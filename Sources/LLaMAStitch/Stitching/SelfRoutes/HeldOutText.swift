/// Token sequences divided into those that layers are fitted on and those that routes are judged on.
struct HeldOutText {
  /// In batches of about 512 tokens.
  let calibration: [PackedBatch]
  /// The parts that jobs are divided into.
  let heldOut: [PackedBatch]

  /// Tokens of a sequence that are read at a time.
  static let window = 256
  /// Of all tokens, at most this share is held out.
  static let share = 0.15
  private static let heldOutWindow = 128
  private static let batchRows = 512

  var calibrationTokens: Int { calibration.reduce(0) { $0 + $1.rows } }
  var heldOutTokens: Int { heldOut.reduce(0) { $0 + $1.rows } }

  /// - Parameter depth: blocks whose states are kept of the calibration text; of no more tokens than there is memory for.
  /// - Throws: `FamilyError.unstitchable` where either would be empty.
  init(
    _ sequences: [[Int32]], _ options: RouteSearch.Options, of anchor: LlamaModel, depth: Int
  ) throws(FamilyError) {
    let window = min(Self.window, anchor.configuration.contextLength)
    let most = options.memory / CalibrationStates.bytesPerToken(anchor, depth: depth)
    let heldOutMost = min(options.heldOutTokens, options.memory / 4 / (4 * anchor.head.outputSize))
    let pieces = sequences.flatMap { sequence in
      stride(from: 0, to: sequence.count, by: window).map {
        Array(sequence[$0..<min($0 + window, sequence.count)])
      }
    }.filter { $0.count > 1 }
    var (calibration, heldOut) = ([PackedBatch()], [PackedBatch()])
    var (read, kept, used) = (0, 0, 0)
    for piece in pieces {
      read += piece.count
      // Of many texts the beginnings: they are more different than one text is from itself.
      let beginning = Array(piece.prefix(Self.heldOutWindow))
      let fits = Double(kept + beginning.count) <= Self.share * Double(read)
      if kept < heldOutMost, fits || (kept == 0 && read > piece.count) {
        kept += beginning.count
        Self.append(beginning, to: &heldOut, rows: Self.heldOutWindow)
      } else if used < most {
        used += piece.count
        Self.append(piece, to: &calibration, rows: Self.batchRows)
      }
    }
    self.calibration = calibration.filter { $0.rows > 0 }
    self.heldOut = heldOut.filter { $0.rows > 0 }
    if self.calibration.isEmpty || self.heldOut.isEmpty { throw LeastSquares.tooShort }
  }

  private static func append(_ piece: [Int32], to batches: inout [PackedBatch], rows: Int) {
    if batches[batches.count - 1].rows >= rows { batches.append(PackedBatch()) }
    batches[batches.count - 1].append(piece)
  }
}
