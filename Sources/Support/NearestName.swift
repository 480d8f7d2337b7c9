/// The name that was probably meant, for messages: `did you mean “user”?`
/// - Parameter limit: so many letters may differ.
package func nearestName(to name: String, among names: some Sequence<String>, within limit: Int = .max) -> String? {
  // What is far longer than any name is no slip of the fingers.
  let written = name.prefix(40).lowercased()
  return names.map { ($0, editDistance(written, $0.lowercased())) }.filter { $0.1 <= limit }.min { $0.1 < $1.1 }?.0
}
