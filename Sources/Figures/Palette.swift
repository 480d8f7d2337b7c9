/// Colours that stay apart for the common kinds of colour blindness (after Okabe and Ito), darker ones for a light
/// background and lighter ones for a dark one.
enum Palette {
  static let light = ["#0072B2", "#D55E00", "#008060", "#B0508C", "#9A6A00", "#3A93C8", "#6B6B6B"]
  static let dark = ["#56B4E9", "#F28A4A", "#2CC79B", "#E29CC6", "#F0C040", "#A5D8F6", "#A8A8A8"]

  /// The style sheet of every chart. Series take `currentColor` from their class.
  static var styleSheet: String {
    func classes(_ colours: [String]) -> String {
      colours.enumerated().map { ".s\($0){color:\($1)}" }.joined()
    }
    return """
      <style>
      text{font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;font-size:12px;fill:#24292f}
      .title{font-size:15px;font-weight:600}.small{font-size:11px}
      .back{fill:#ffffff}.grid{stroke:#d8dee4;stroke-width:1}.frame{stroke:#57606a;stroke-width:1;fill:none}
      \(classes(light))
      @media (prefers-color-scheme:dark){
      text{fill:#e6edf3}.back{fill:#0d1117}.grid{stroke:#2f363d}.frame{stroke:#8b949e}
      \(classes(dark))
      }
      </style>

      """
  }
}
