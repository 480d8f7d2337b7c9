/// The name that was probably meant, for messages: `did you mean “user”?`
/// - Parameter limit: so many letters may differ.
package func nearestName(to name: String, among names: some Sequence<String>, within limit: Int = .max) -> String? {
  // What is far longer than any name is no slip of the fingers.
  let written = name.prefix(40).lowercased()
  return names.map { ($0, editDistance(written, $0.lowercased())) }.filter { $0.1 <= limit }.min { $0.1 < $1.1 }?.0
}

/// How many edits (insert, delete, change, swap of neighbours) lie between two words, for “did you mean”.
package func editDistance(_ a: String, _ b: String) -> Int {
  let a = Array(a)
  let b = Array(b)
  var rows = [Array(0...b.count)]
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
      if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
      row.append(best)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}
