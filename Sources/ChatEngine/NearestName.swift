import LLaMAStitch

/// The name that was probably meant, for messages: `did you mean “user”?`
package func nearestName(to name: String, among names: some Sequence<String>) -> String? {
  // What is far longer than any name is no slip of the fingers.
  let written = name.prefix(40).lowercased()
  return names.map { ($0, editDistance(written, $0.lowercased())) }.min { $0.1 < $1.1 }?.0
}
