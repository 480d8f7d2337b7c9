import ChatTUI
import Testing
@Test func dumpScreens() {
  for (w,h,g) in [(80,24,GlyphSet.unicode),(80,24,.ascii),(40,15,.unicode),(40,15,.ascii),(120,30,.unicode)] {
    print("@@@ \(w) \(h) \(g.isASCII)"); for l in busyState(width: w, height: h, glyphs: g).screen() { print("@@" + l) }
  }
  var s = AppState(); _ = update(&s, .resize(width: 80, height: 24)); print("@@@ loading"); for l in s.screen() { print("@@" + l) }
  var t = readyState(width: 40, height: 15); t.press(.function(1));  print("@@@ help"); for l in t.screen() { print("@@" + l) }
}
