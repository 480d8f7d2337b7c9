import ChatEngine

/// The second slider: how much of each of two adapters replies are made with.
package struct Mixer: Sendable, Equatable {
  /// The adapters at its ends; `nil`: one adapter alone is in use, and there is no slider.
  package internal(set) var ends: Ends?
  /// What the right one counts, 0…100.
  package internal(set) var percent = 0
  /// What it counts in what is in use.
  var mixedPercent = 0
  /// Asked of the engine, which has not answered yet.
  package internal(set) var asked: AdapterMix?
  /// What the last mix came to, until something else is in use.
  var mixed: AdapterReference?
  /// The mouse holds it.
  var isDragging = false
  /// What a replay would have to be told, before the next reply.
  var command: String?

  package struct Ends: Sendable, Equatable {
    package var left: AdapterEntry
    package var right: AdapterEntry
  }

  package init() {}

  /// How far a key moves it.
  static let stride = 10
}
