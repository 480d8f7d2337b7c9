import LLaMAStitch

extension Family {
  /// Its last anchor by itself, which teaches, writes and judges.
  var dearestAnchor: Stitch {
    let route = route(ofAnchor: anchors.count - 1)
    return stitches.first { $0.route == route }!
  }
}
