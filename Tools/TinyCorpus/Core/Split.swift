import Support

/// Which part of the corpus an example may appear in.
public enum Split: String, Sendable, CaseIterable {
  case train, validation, test
}

extension Split {
  /// The split of a key: 88 % train, 4 % validation, 8 % test, independent of the seed, so that
  /// corpora of different seeds never leak into each other.
  package static func of(_ key: String) -> Split {
    switch bucket(key) % 100 {
    case 0..<4: .validation
    case 4..<12: .test
    default: .train
    }
  }

  /// The split of a question in a held-out phrasing: never train.
  static func ofHeldOut(_ key: String) -> Split { bucket(key) % 3 == 0 ? .validation : .test }

  /// FNV-1a over the UTF-8 bytes, finished by SeededGenerator's mixer.
  private static func bucket(_ key: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in key.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return SeededGenerator.mix(hash)
  }
}
