import ChatEngine
import Foundation
import Testing

/// A machine on which each stop makes so many tokens a second, less while something else runs.
private struct SimulatedMachine {
  var speeds: [Double]
  var load = 1.0
  private var replies = 0

  init(_ speeds: [Double]) { self.speeds = speeds }

  /// The speed of a reply: a little more or less each time.
  mutating func reply(_ stop: Int, noise: Double = 0) -> Double {
    replies += 1
    return speeds[stop] * load * (1 + noise * sin(Double(replies) * 2.4))
  }
}

@Suite struct SpeedControllerTests {
  private static let bytes = [10, 14, 20, 27, 35, 44, 54, 65, 80]

  /// - Parameter known: what the family says of its speeds; `nil`: it was not measured.
  private func stops(known: [Double]? = nil) -> [Stop] {
    Self.bytes.indices.map { index in
      Stop(
        id: "s\(index)", route: "", parameters: 0, flopsPerToken: Double(Self.bytes[index]),
        weightBytes: Self.bytes[index] << 20, quality: 0.5 + 0.05 * Double(index), tokensPerSecond: known?[index])
    }
  }

  /// As the weights have it, and how far a real machine is off.
  private static let real = bytes.indices.map {
    8000 / Double(bytes[$0]) * [1, 0.93, 1.08, 1, 0.9, 1.05, 1, 0.94, 1.06][$0]
  }

  /// One reply.
  private func step(
    _ machine: inout SimulatedMachine, _ controller: inout SpeedController, _ stop: inout Int, noise: Double = 0
  ) -> Double {
    let speed = machine.reply(stop, noise: noise)
    controller.record(stitch: "s\(stop)", tokensPerSecond: speed)
    stop = controller.choose(from: stop)
    return speed
  }

  @Test(arguments: [false, true]) func followsALoadThatComesAndGoes(isMeasured: Bool) {
    var machine = SimulatedMachine(Self.real)
    var controller = SpeedController(target: 150, stops: stops(known: isMeasured ? Self.real : nil))
    var stop = 8
    for _ in 0..<6 { _ = step(&machine, &controller, &stop) }
    let alone = stop
    #expect(machine.speeds[alone] >= 150 * 0.95 && machine.speeds[alone + 1] < 150 * 1.1)
    for _ in 0..<3 {
      machine.load = 0.5
      let slow = step(&machine, &controller, &stop)
      #expect(slow < 150)
      // The second reply after the change reaches the target again.
      #expect(step(&machine, &controller, &stop) >= 150 * 0.95)
      #expect(stop < alone)
      for _ in 0..<4 { _ = step(&machine, &controller, &stop) }
      machine.load = 1
      _ = step(&machine, &controller, &stop)
      // And the size is back as fast as it went.
      #expect(step(&machine, &controller, &stop) >= 150 * 0.95)
      #expect(stop >= alone - 1)
      for _ in 0..<6 { _ = step(&machine, &controller, &stop) }
      #expect(stop == alone)
    }
  }

  @Test func staysPutWhereSpeedsVary() {
    var machine = SimulatedMachine(Self.real)
    var controller = SpeedController(target: 200, stops: stops(known: nil))
    var stop = 8
    for _ in 0..<10 { _ = step(&machine, &controller, &stop, noise: 0.04) }
    var moves = 0
    for _ in 0..<40 {
      let before = stop
      _ = step(&machine, &controller, &stop, noise: 0.04)
      if stop != before { moves += 1 }
    }
    #expect(moves <= 2)
  }

  @Test func theBestThatReachesTheTarget() {
    // Known speeds are enough to begin with.
    let controller = SpeedController(target: 150, stops: stops(known: Self.real))
    let chosen = controller.choose(from: 8)
    #expect(Self.real[chosen] >= 150 && chosen > 0)
    // None is known: it stays until something was measured.
    #expect(SpeedController(target: 150, stops: stops()).choose(from: 8) == 8)
    // None reaches it: the fastest.
    #expect(SpeedController(target: 1e6, stops: stops(known: Self.real)).choose(from: 8) == 0)
    // All reach it: the best.
    #expect(SpeedController(target: 1, stops: stops(known: Self.real)).choose(from: 0) == 8)
  }

  /// One that only just reaches the target is not worth a move, unless the one in use is faster than was asked for.
  @Test func theSpeedIsNotMuchAboveTheTarget() {
    func chosen(_ cheapest: Double) -> Int {
      let known = [cheapest, 205] + (2..<9).map { 100 / Double($0) }
      return SpeedController(target: 200, stops: stops(known: known)).choose(from: 0)
    }
    #expect(chosen(215) == 0)
    #expect(chosen(250) == 1)
  }

  @Test func aMoreExpensiveStopThatIsNoBetterIsNotTaken() {
    var stops = stops(known: Self.real)
    stops[8].quality = 0.1
    #expect(SpeedController(target: 1, stops: stops).choose(from: 0) == 7)
  }

  @Test func nonsenseIsNotLearned() {
    var controller = SpeedController(target: 150, stops: stops(known: Self.real))
    let before = controller
    controller.record(stitch: "unknown", tokensPerSecond: 5)
    controller.record(stitch: "s1", tokensPerSecond: 0)
    controller.record(stitch: "s1", tokensPerSecond: .nan)
    #expect(controller == before)
    #expect(SpeedController(target: 5, stops: []).choose(from: 0) == 0)
  }
}
