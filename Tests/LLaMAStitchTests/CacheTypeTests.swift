import CKernels
import Foundation
import LLaMAStitch
import Testing

/// Keys and values in half precision.
@Suite struct CacheTypeTests {
  private func nll(_ name: String, _ type: CacheType, chunkSize: Int = 16) throws -> [Double] {
    let network = try LlamaModel.load(directory: Fixtures.model(name)).network()
    let session = InferenceSession(network: network, contextLength: 128, chunkSize: chunkSize, cacheType: type)
    return try Scorer.negativeLogLikelihoods(of: (0..<100).map { 3 + $0 * 7 % 60 }, session: session)
  }

  /// Halves have 11 bits: a thousandth of each key and value at most.
  @Test(arguments: ["mha", "gqa", "mqa-head-dim"])
  func itIsNearlyTheSame(name: String) throws {
    let plain = try nll(name, .f32)
    let half = try nll(name, .f16)
    let difference = zip(plain, half).map { abs($0 - $1) }.reduce(0, +) / Double(plain.count)
    #expect(difference > 0 && difference < 5e-3, "\(difference)")
    // What is read and what is written at once makes no difference.
    #expect(try nll(name, .f16, chunkSize: 3) == half)
  }

  @Test func itTakesHalfTheMemory() throws {
    let network = try LlamaModel.load(directory: Fixtures.model("gqa")).network()
    #expect(2 * network.cacheBytes(positions: 100, type: .f16) == network.cacheBytes(positions: 100))
  }

  @Test func whatIsTooLargeIsTheLargest() {
    let values: [Float] = [
      1e30, -1e30, 70_000, 65_504, -0.0, .infinity, .nan, 1e-9, 0.1, -3.14159, 65_519, 6e-8, 2.98e-8, 6.1e-5, 2049,
      2051, 1,
    ]
    for table in KernelTests.tables {
      var row = [UInt16](repeating: 9, count: 32)
      table.pointee.store_value(Int32(CK_F16), &row, 32, 0, values, values.count)
      let kept = row.map { float(float16Bits: $0) }
      #expect(Array(kept[..<6]) == [65_504, -65_504, 65_504, 65_504, 0, 65_504] && kept[6].isNaN)
      for index in 7..<values.count where values[index] < 65_504 {
        #expect(row[index] == float16Bits(values[index]), "\(String(cString: table.pointee.name)), \(values[index])")
      }
      #expect(row[values.count...].allSatisfy { $0 == 0 })
      var keys = [UInt16](repeating: 9, count: 16 * values.count)
      table.pointee.store_key(Int32(CK_F16), &keys, 3, values, values.count)
      for index in values.indices { #expect(keys[index * 16 + 3] == row[index]) }
      #expect(keys.filter { $0 == 9 }.count == 15 * values.count)
    }
  }
}
