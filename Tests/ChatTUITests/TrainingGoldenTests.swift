import ChatEngine
import ChatTUI
import Testing

/// The training pane as it should look, drawn.
@Suite struct TrainingGoldenTests {
  private func training(_ width: Int, _ height: Int, glyphs: GlyphSet = .unicode) -> AppState {
    var state = busyState(width: width, height: height, glyphs: glyphs)
    var status = state.training
    for (index, stop) in state.stops.enumerated() { status.importance[stop.id] = 1 / Double(1 + index) }
    state.apply(.training(status))
    return state
  }

  @Test func running40() {
    let state = training(40, 15)
    expectPart(
      state, \.trainingLine,
      """
       training running 50/100 · loss 0.774 ·…
      """)
  }

  @Test func running80() {
    let state = training(80, 24)
    expectPart(
      state, \.training,
      """
      ─ Training ───── F9 pauses ─
       running        facts.jsonl
       ━━━━━━━━━━───────── 50/100
       loss 0.774
       × held-out 0.874
       2450 tok/s · 2s left
       2.28 ⠑⠢⣀⣀×
       0.74     ⠉⠉⠑⠒×⠦⠤⠤×⠤⢄⠤×⣀⡠⣄×
       drawn      █▄▁▆ ▂▅▄▁
       importance █▄▃▂▂▁▁▁▁
      """)
  }

  @Test func running120() {
    let state = training(120, 30)
    expectPart(
      state, \.training,
      """
      ─ Training ─── F9 pauses · /save · /stop ─
       running                      facts.jsonl
       ━━━━━━━━━━━━━━━━━──────────────── 50/100
       loss 0.774 · × held-out 0.874
       2450 tok/s · 2s left
       2.28 ⠱⡀
             ⠈⢆×
               ⠉⠒⢄⡀×
                  ⠈⠢⠤⠤×   ×
                      ⠈⠑⠊⠉⠒⢄⣀×⠤⡀× ⢀ ×  ×
       0.74                    ⠈⠉⠉⠁⠉⠒⠒⠊⠑⠤⠤⠤×⠢⣀×
       drawn      █▄▁▆ ▂▅▄▁
       importance █▄▃▂▂▁▁▁▁
      """)
  }

  @Test func running200() {
    let state = training(200, 40)
    expectPart(
      state, \.training,
      """
      ─ Training ─── F9 pauses · /save · /stop · Alt-T folds ─
       running                                    facts.jsonl
       ━━━━━━━━━━━━━━━━━━━━━━━━─────────────────────── 50/100
       loss 0.774 · × held-out 0.874 · 2450 tok/s · 2s left
       2.28 ⠱⡀
             ⢣
              ⢇
              ⠈⢆ ×
               ⠈⠢⣀
                  ⠉⢢
                    ⠱×
                     ⠘⠤⠤⠤⢄×
                          ⠱⡀   ×
                           ⠈⠒⠒⠊⠉⠢⡀  ×
                                 ⠈⠒⠔⠊⠑⠢⡀ ×⢀⣀⡀ ×    ×
                                       ⠈⠑⠒⠁ ⠈⠢⡀⣀⠤⠒⠢⡀   ×⣀   ×
       0.74                                   ⠈    ⠈⠑⠒⠉  ⠑⠢⢄⠤
       drawn      █▄▁▆ ▂▅▄▁
       importance █▄▃▂▂▁▁▁▁
      """)
  }

  @Test func folded120() {
    var state = training(120, 30)
    state.apply(.key(.alt("t")))
    expectPart(
      state, \.trainingLine,
      """
       training running 50/100 · loss 0.774 · 2s left · held-out 0.874
      """)
  }

  @Test func failed80() {
    var state = training(80, 24)
    var status = state.training
    status.phase = .failed
    status.message = "the disk is full; make room and /train again"
    state.apply(.training(status))
    expectPart(
      state, \.training,
      """
      ─ Training ─── Alt-T folds ─
       failed         facts.jsonl
       ━━━━━━━━━━───────── 50/100
       loss 0.774
       × held-out 0.874
       2450 tok/s
       drawn      █▄▁▆ ▂▅▄▁
       importance █▄▃▂▂▁▁▁▁
       the disk is full; make
       room and /train again
      """)
  }

  @Test func runningInASCII() {
    let state = training(120, 30, glyphs: .ascii)
    expectPart(
      state, \.training,
      """
      - Training --- F9 pauses - /save - /stop -
       running                      facts.jsonl
       =================---------------- 50/100
       loss 0.774 - x held-out 0.874
       2450 tok/s - 2s left
       2.28 ..
             ..x
               ....x
                  ....x   x
                       ......x..x...x .x   x
       0.74                         ..........x
       drawn      @=.* :+=.
       importance @=-::....
      """)
  }

  @Test func frontierOfALesson() {
    var state = training(120, 30)
    var status = state.training
    for (index, stop) in state.stops.enumerated() { status.stitchLosses[stop.id] = 1.5 / Double(2 + index) }
    status.stitchLossesStep = 40
    state.apply(.training(status))
    expectPart(
      state, \.frontier,
      """
      ─ Lesson loss at 40 ──────────────────────
       0.15                    ⢀⣀•⣀⣀⠤⠤●⠤⠒⠒•⠒⠊⠉•
                        ⢀•⠤⠔⠒•⠉⠁
                   ⢀•⠔⠒⠉⠁
                 ⡠⠔⠁
               ⢠•
             ⢀⠔⠁
       0.75 •⠃
            900 kFLOPs               8.0 MFLOPs
            ≈900 tok/s               52.1 tok/s
      """)
  }

  @Test func frontierOfOtherWeights() {
    var state = readyState(width: 80, height: 24)
    var summary = ScriptedBackend.summary
    summary.adapterStep = 450
    state.apply(.described(summary))
    expectPart(
      state, \.frontier,
      """
      ─ Quality at step 400 ──────
       86%                ⣀•⠤⠔•⠊●
                  ⢀•⡠⠤•⠒•⠉
              ⣀⠤•⠊⠁
            ⢀•
       61% •⠁
           900 kFLOPs  8.0 MFLOPs
      """)
  }
}
