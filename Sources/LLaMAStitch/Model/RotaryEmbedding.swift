import Foundation
import Synchronization

/// The angles of rotary positions (Su et al. 2021, arXiv 2104.09864), in the Hugging Face layout: dimension `i` of a
/// head is rotated with dimension `i + headDimension / 2`.
public enum RotaryEmbedding {
  /// Angle per position for each pair, `[headDimension / 2]`, in F32 as transformers computes them.
  public static func inverseFrequencies(_ configuration: LlamaConfiguration) -> [Float] {
    let dimension = configuration.headDimension
    return (0..<dimension / 2).map { pair in
      let plain = 1 / pow(configuration.ropeTheta, Double(2 * pair) / Double(dimension))
      switch configuration.ropeScaling {
      case .none: return Float(plain)
      case .unrotated: return 0
      case .linear(let factor): return Float(plain / factor)
      case .table(let factors, _): return Float(plain / factors[pair])
      case .llama3(let factor, let low, let high, let original):
        // Llama 3.1: wavelengths longer than original/low are stretched, those shorter than original/high are not.
        let wavelength = 2 * Double.pi / plain
        if wavelength < Double(original) / high { return Float(plain) }
        if wavelength > Double(original) / low { return Float(plain / factor) }
        let smooth = (Double(original) / wavelength - low) / (high - low)
        return Float((1 - smooth) * plain / factor + smooth * plain)
      case .yarn(let yarn):
        let stretched = yarn.ramp(at: pair, dimension: dimension, theta: configuration.ropeTheta)
        return Float(plain / yarn.factor * stretched + plain * (1 - stretched))
      }
    }
  }

  /// What cosines and sines are multiplied by.
  static func magnitude(_ configuration: LlamaConfiguration) -> Double {
    switch configuration.ropeScaling {
    case .yarn(let yarn): yarn.magnitude
    case .table(_, let magnitude): magnitude
    default: 1
    }
  }
}

extension LlamaConfiguration.YaRN {
  /// 0 for pairs that are left as they are, 1 for those that are stretched.
  fileprivate func ramp(at pair: Int, dimension: Int, theta: Double) -> Double {
    func place(turns: Double) -> Double {
      Double(dimension) * log(Double(originalContextLength) / (turns * 2 * .pi)) / (2 * log(theta))
    }
    var (low, high) = (place(turns: betaFast), place(turns: betaSlow))
    if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    (low, high) = (max(low, 0), min(high, Double(dimension - 1)))
    if low == high { high += 0.001 }
    return min(max((Double(pair) - low) / (high - low), 0), 1)
  }
}

/// Cosines and sines of rotary positions, computed as far as positions are used: a model may be made for a billion of them.
///
/// `@unchecked Sendable`: it grows while `lock` is held, and what is there does not change. Whoever reads the angles of a
/// position has called `cover` for it before.
package final class RotaryTable: @unchecked Sendable {
  /// `[positions × headDimension / 2]`
  package let cosines: MatrixView
  /// `[positions × headDimension / 2]`
  package let sines: MatrixView
  let configuration: LlamaConfiguration
  private let frequencies: [Float]
  private let magnitude: Float
  private let lock = NSLock()
  private var covered = 0
  /// Positions computed at a time.
  private static let step = 64

  /// - Parameter positions: how many there can be.
  package init(_ configuration: LlamaConfiguration, positions: Int) {
    self.configuration = configuration
    frequencies = RotaryEmbedding.inverseFrequencies(configuration)
    magnitude = Float(RotaryEmbedding.magnitude(configuration))
    let half = frequencies.count
    // Memory is taken as far as it is written.
    cosines = FloatBuffer(count: positions * half).matrix(rows: positions, columns: half)
    sines = FloatBuffer(count: positions * half).matrix(rows: positions, columns: half)
  }

  package var positions: Int { cosines.rows }

  /// Computes the angles of positions `0 ..< count`, where they are not there yet.
  package func cover(_ count: Int) {
    precondition(count <= positions, "more positions than the table has")
    lock.withLock {
      guard count > covered else { return }
      let end = min(positions, (count + Self.step - 1) / Self.step * Self.step)
      for position in covered..<end {
        let (cosines, sines) = (cosines.row(position), sines.row(position))
        for pair in frequencies.indices {
          // The product is rounded to F32 as transformers does: at far positions that is what the model has seen.
          let angle = Double(Float(position) * frequencies[pair])
          cosines[pair] = Float(cos(angle)) * magnitude
          sines[pair] = Float(sin(angle)) * magnitude
        }
      }
      covered = end
    }
  }
}

/// One table for all blocks that rotate alike.
final class RotaryTables: Sendable {
  private let tables = Mutex<[RotaryTable]>([])

  /// A table with room for so many positions; `cover` says how many are needed.
  func table(_ configuration: LlamaConfiguration, positions: Int) -> RotaryTable {
    tables.withLock { tables in
      let known = tables.firstIndex { $0.configuration.hasAngles(of: configuration) }
      if let known, tables[known].positions >= positions { return tables[known] }
      let table = RotaryTable(configuration, positions: max(positions, 2 * (known.map { tables[$0].positions } ?? 0)))
      if let known { tables[known] = table } else { tables.append(table) }
      return table
    }
  }
}

extension LlamaConfiguration {
  /// Whether its angles are those of the other one.
  fileprivate func hasAngles(of other: LlamaConfiguration) -> Bool {
    headDimension == other.headDimension && ropeTheta == other.ropeTheta && ropeScaling == other.ropeScaling
  }
}
