import Figures
import Foundation
import FoundationXML
import Testing

@Suite struct ChartTests {
  /// Counts elements and collects text; fails where the document is not well-formed.
  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [String: Int] = [:]
    var texts: [String] = []
    private var current: String?

    init(_ svg: String) throws {
      super.init()
      let parser = XMLParser(data: Data(svg.utf8))
      parser.delegate = self
      try #require(parser.parse(), "\(String(describing: parser.parserError))\n\(svg)")
    }

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      elements[name, default: 0] += 1
      current = name == "text" ? "" : nil
    }

    func parser(_ parser: XMLParser, foundCharacters text: String) { current? += text }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
      if name == "text", let current { texts.append(current) }
      current = nil
    }
  }

  private func chart(_ series: [Series], x: Axis = Axis("cost"), y: Axis = Axis("quality")) -> Chart {
    Chart(title: "A chart", x: x, y: y, series: series)
  }

  @Test func aDocumentHoldsWhatItWasGiven() throws {
    let lines = Series("a", [.init(1, 2, interval: 1...3), .init(2, 4, label: "top"), .init(3, 3)], line: .solid)
    let band = Series(
      "b", [.init(1, 1, interval: 0...2), .init(3, 2, interval: 1...3)], marker: .none, line: .dashed, spread: .band)
    let reader = try Reader(chart([lines, band]).svg)
    // Three points and one marker in the legend.
    #expect(reader.elements["circle"] == 4)
    #expect(reader.elements["polygon"] == 1)
    // Two lines, two in the legend, one error bar.
    #expect(reader.elements["path"] == 5)
    for text in ["A chart", "cost", "quality", "a", "b", "top"] { #expect(reader.texts.contains(text), "\(text)") }
    #expect(chart([lines, band]).svg == chart([lines, band]).svg)
    #expect(chart([lines]).svg.contains("prefers-color-scheme:dark"))
  }

  @Test func everyMarkerAndLineIsWellFormed() throws {
    for marker in Series.Marker.allCases {
      for line in [Series.Line.none, .solid, .dashed, .staircase] {
        _ = try Reader(chart([Series("s", [.init(1, 1), .init(2, 5)], marker: marker, line: line)]).svg)
      }
    }
  }

  @Test func textIsEscaped() throws {
    let nasty = "a<b> & \"c\" 'd' \u{1B}[2J\u{0}]]>"
    let document = Chart(
      title: nasty, x: Axis(nasty), y: Axis(nasty), series: [Series(nasty, [.init(1, 1, label: nasty)])]
    ).svg
    let reader = try Reader(document)
    #expect(reader.texts.count { $0.contains("a<b> & \"c\" 'd'") } == 5)
    #expect(!document.contains("\u{1B}") && !document.contains("\u{0}"))
  }

  @Test func pointsWithoutAPlaceAreLeftOut() throws {
    let points: [Series.Point] = [
      .init(0, 1), .init(-3, 1), .init(.nan, 1), .init(10, .infinity), .init(10, 2), .init(1000, 3),
    ]
    let series = Series("", points, line: .solid)
    let reader = try Reader(chart([series], x: Axis("cost", scale: .log10)).svg)
    #expect(reader.elements["circle"] == 2)
    let shown = try Reader(chart([series], x: Axis("cost", scale: .log10, range: 1...100)).svg)
    #expect(shown.elements["circle"] == 1)
    for scale in [Axis.Scale.linear, .log10] {
      _ = try Reader(chart([], x: Axis("x", scale: scale)).svg)
      _ = try Reader(chart([Series("one", [.init(5, 5)])], x: Axis("x", scale: scale)).svg)
    }
  }

  @Test func aStaircaseIsLevelUntilTheNextPoint() {
    let series = Series("", [.init(0, 0), .init(1, 1)], marker: .none, line: .staircase)
    let svg = chart([series], x: Axis("x", range: 0...1), y: Axis("y", range: 0...1)).svg
    // The plot begins at (66, 40) and ends at (738, 408).
    #expect(svg.contains("d=\"M66 408H738V40\""))
  }

  @Test func linearTicksAreRound() {
    let axis = Axis("x")
    #expect(axis.ticks(in: 0...1) == [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1])
    #expect(axis.ticks(in: 0...100) == [0, 20, 40, 60, 80, 100])
    #expect(axis.ticks(in: 31...96) == [40, 60, 80])
    #expect(axis.ticks(in: -1...1) == [-1, -0.5, 0, 0.5, 1])
  }

  @Test func logarithmicTicksArePowersOfTenOrTheirFifthsAndHalves() {
    let axis = Axis("x", scale: .log10)
    #expect(axis.ticks(in: 1...1000) == [1, 10, 100, 1000])
    #expect(axis.ticks(in: 0.9e6...8.2e6) == [1e6, 2e6, 5e6])
    #expect(axis.ticks(in: 1...2) == [1, 1.2, 1.4, 1.6, 1.8, 2].map { ($0 * 5).rounded() * 0.2 })
    #expect(axis.ticks(in: 1...1e12) == [1, 1e3, 1e6, 1e9, 1e12])
  }

  @Test func ticksAreWrittenShort() {
    let cases: [(Double, String)] = [
      (0, "0"), (0.6000000000000001, "0.6"), (40, "40"), (2500, "2500"), (20000, "20k"), (2.5e6, "2.5M"), (1e9, "1G"),
      (3e12, "3T"),
      (-0.5, "-0.5"), (1e-5, "1e-05"),
    ]
    for (value, text) in cases { #expect(Axis.text(of: value) == text) }
  }
}
