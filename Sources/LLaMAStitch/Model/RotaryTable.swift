import Foundation

/// Cosines and sines of rotary position embedding, one row a position, as Hugging Face's LLaMA computes them.
///
/// Frequencies: θ^(−2i/d) for i in 0 ..< d/2 (Su et al. 2021), scaled as the configuration says.
public struct RotaryTable: Sendable {
  /// [positions × headDimension/2]
  public let cosines: MatrixView
  /// [positions × headDimension/2]
  public let sines: MatrixView

  public init(configuration: LlamaConfiguration, positions: Int) {
    let frequencies = Self.frequencies(of: configuration)
    cosines = FloatBuffer(count: positions * frequencies.count)
      .matrix(rows: positions, columns: frequencies.count)
    sines = FloatBuffer(count: positions * frequencies.count)
      .matrix(rows: positions, columns: frequencies.count)
    for position in 0..<positions {
      for (index, frequency) in frequencies.enumerated() {
        // The angle is a product of single-precision numbers in the reference.
        let angle = Double(Float(position) * Float(frequency))
        cosines[position, index] = Float(cos(angle))
        sines[position, index] = Float(sin(angle))
      }
    }
  }

  /// Angular frequency of each pair of a head's dimensions, radians per position.
  static func frequencies(of configuration: LlamaConfiguration) -> [Double] {
    let half = configuration.headDimension / 2
    let plain = (0..<half).map {
      pow(configuration.ropeTheta, -2 * Double($0) / Double(configuration.headDimension))
    }
    switch configuration.ropeScaling {
    case .none: return plain
    case .linear(let factor): return plain.map { $0 / factor }
    case .llama3(let factor, let low, let high, let original):
      let longest = Double(original) / low
      let shortest = Double(original) / high
      return plain.map { frequency in
        let wavelength = 2 * Double.pi / frequency
        if wavelength < shortest { return frequency }
        if wavelength > longest { return frequency / factor }
        let smooth = (Double(original) / wavelength - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency
      }
    }
  }
}
