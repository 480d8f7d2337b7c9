/// The middle one in order of size, of an even number the larger of both in the middle; 0 where there is none.
package func median<Value: Comparable & ExpressibleByIntegerLiteral>(_ values: some Collection<Value>) -> Value {
  values.isEmpty ? 0 : values.sorted()[values.count / 2]
}
