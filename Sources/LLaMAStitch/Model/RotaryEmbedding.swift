import Foundation

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
      case .linear(let factor): return Float(plain / factor)
      case .llama3(let factor, let low, let high, let original):
        // Llama 3.1: wavelengths longer than original/low are stretched, those shorter than original/high are not.
        let wavelength = 2 * Double.pi / plain
        if wavelength < Double(original) / high { return Float(plain) }
        if wavelength > Double(original) / low { return Float(plain / factor) }
        let smooth = (Double(original) / wavelength - low) / (high - low)
        return Float((1 - smooth) * plain / factor + smooth * plain)
      }
    }
  }

  /// Cosines and sines of positions `0..<positions`, each `[positions × headDimension / 2]`.
  public static func tables(
    _ configuration: LlamaConfiguration, positions: Int
  ) -> (cosines: FloatBuffer, sines: FloatBuffer) {
    let frequencies = inverseFrequencies(configuration)
    let half = frequencies.count
    let cosines = FloatBuffer(count: positions * half)
    let sines = FloatBuffer(count: positions * half)
    for position in 0..<positions {
      for pair in 0..<half {
        // The product is rounded to F32 as transformers does: at far positions that is what the model has seen.
        let angle = Double(Float(position) * frequencies[pair])
        cosines[position * half + pair] = Float(cos(angle))
        sines[position * half + pair] = Float(sin(angle))
      }
    }
    return (cosines, sines)
  }
}

extension LlamaConfiguration {
  /// Whether its angles are those of the other one.
  func hasAngles(of other: LlamaConfiguration) -> Bool {
    headDimension == other.headDimension && ropeTheta == other.ropeTheta && ropeScaling == other.ropeScaling
  }
}
