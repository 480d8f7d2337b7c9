import ChatEngine
import ChatTUI
import Testing

/// Screens as they should look, drawn.
@Suite struct GoldenScreenTests {
  @Test func usual() {
    expectScreen(
      busyState(width: 80, height: 24),
      """
       stitch tiny · 9 sizes                                         adapter step 400
       › what is 12+7?                                   ├─ Quality by cost ──────────
       large · step 400 · 52.1 tok/s                     │ 86%                ⣀●⠤⠔•⠊•
         12 + 7 = 19.                                    │            ⢀•⡠⠤•⠒•⠉
                                                         │        ⣀⠤•⠊⠁
       › and in Japanese?                                │      ⢀•
       ── large → small-large@2 ──────────────────────── │ 61% •⠁
       small-large@2 · step 400 · stopped · 52.1 tok/s   │     900 kFLOPs  8.0 MFLOPs
         十二足す七は十九です。                          ├─ Training ───── F9 pauses ─
                                                         │ running        facts.jsonl
                                                         │ ━━━━━━━━━━───────── 50/100
                                                         │ loss 0.774
                                                         │ × held-out 0.874
                                                         │ 2450 tok/s · 2s left
                                                         │ 2.28 ⠑⢄
                                                         │       ⠈⠉⠒×⢄⣀ ×
                                                         │ 0.74       ⠈⠉⠉⠓⠒⠲×⠒⠤⠤×⣀⠤⣄×
                                                         │ drawn      █▄▁▆ ▂▅▄▁
      ─ Size 7/9 · small-large@2 ──────────────────────────── switch reads 61 tokens ─
       small ┼━━━━━━━┼━━━━━━━┼━━━━━━━┼━━━━━━━━┼━━━━━━━┼━━━━━━━●───────┼───────┼ large
       small[0..<1] → large[2..<8] · 3.1M · 6.2 MFLOPs · 19 ms/token · quality 83%
      ────────────────────────────────────────────────────────────────────────────────
       ›
       Enter sends · Ctrl-J new line · Alt-← Alt-→ size · F1 help         context 12%
      """)
  }

  @Test func usualInASCII() {
    expectScreen(
      busyState(width: 80, height: 24, glyphs: .ascii),
      """
       stitch tiny - 9 sizes                                         adapter step 400
       > what is 12+7?                                   +- Quality by cost ----------
       large - step 400 - 52.1 tok/s                     | 86%                  .o..o
         12 + 7 = 19.                                    |               .o.o..@
                                                         |         .o..o.
       > and in Japanese?                                |       .o
       -- large -> small-large@2 ----------------------- | 61% o.
       small-large@2 - step 400 - stopped - 52.1 tok/s   |     900 kFLOPs  8.0 MFLOPs
         十二足す七は十九です。                          +- Training ----- F9 pauses -
                                                         | running        facts.jsonl
                                                         | ==========--------- 50/100
                                                         | loss 0.774
                                                         | x held-out 0.874
                                                         | 2450 tok/s - 2s left
                                                         | 2.28 ..
                                                         |       ...x...x
                                                         | 0.74          ...x...x...x
                                                         | drawn      @=.* :+=.
      - Size 7/9 - small-large@2 ---------------------------- switch reads 61 tokens -
       small +=======+=======+=======+========+=======+=======@-------+-------+ large
       small[0..<1] -> large[2..<8] - 3.1M - 6.2 MFLOPs - 19 ms/token - quality 83%
      --------------------------------------------------------------------------------
       >
       Enter sends - Ctrl-J new line - Alt-Left Alt-Right size - F1 help  context 12%
      """)
  }

  @Test func narrow() {
    expectScreen(
      busyState(width: 40, height: 15),
      """
       stitch tiny · 9 sizes
       large · step 400 · 52.1 tok/s
         12 + 7 = 19.

       › and in Japanese?
       ── large → small-large@2 ─────────────
       small-large@2 · step 400 · stopped · …
         十二足す七は十九です。

       training running 50/100 · loss 0.774 ·…
       ┼━┼━━┼━┼━━┼━┼━●──┼─┼ 7/9 small-large@2
       3.1M · 19 ms/token · quality 83%
      ────────────────────────────────────────
       ›
       Enter sends · F1 help      context 12%
      """)
  }

  @Test func narrowInASCII() {
    expectScreen(
      busyState(width: 40, height: 15, glyphs: .ascii),
      """
       stitch tiny - 9 sizes
       large - step 400 - 52.1 tok/s
         12 + 7 = 19.

       > and in Japanese?
       -- large -> small-large@2 ------------
       small-large@2 - step 400 - stopped - ~
         十二足す七は十九です。

       training running 50/100 - loss 0.774 -~
       +=+==+=+==+=+=@--+-+ 7/9 small-large@2
       3.1M - 19 ms/token - quality 83%
      ----------------------------------------
       >
       Enter sends - F1 help      context 12%
      """)
  }

  @Test func large() {
    expectScreen(
      busyState(width: 120, height: 30),
      """
       stitch tiny · 9 sizes                                                                                 adapter step 400
       › what is 12+7?                                                             ├─ Quality by cost ────────────────────────
       large · step 400 · 52.1 tok/s                                               │ 86%                             ⣀⣀⠤•⠔⠒⠊•
         12 + 7 = 19.                                                              │                        ⣀⣀⠤•⠔⠒⠊●⠉
                                                                                   │                ⢀⣀•⠤⠒⠒⠉•
       › and in Japanese?                                                          │           ⢀⡠⠔•⠉⠁
       ── large → small-large@2 ────────────────────────────────────────────────── │        ⢀•⠊⠁
       small-large@2 · step 400 · stopped · 52.1 tok/s                             │       ⡰⠁
         十二足す七は十九です。                                                    │ 61% •⠊
                                                                                   │     900 kFLOPs                8.0 MFLOPs
                                                                                   │     ≈125 tok/s                52.1 tok/s
                                                                                   ├─ Training ─── F9 pauses · /save · /stop ─
                                                                                   │ running                      facts.jsonl
                                                                                   │ ━━━━━━━━━━━━━━━━━──────────────── 50/100
                                                                                   │ loss 0.774 · × held-out 0.874
                                                                                   │ 2450 tok/s · 2s left
                                                                                   │ 2.28 ⠱⡀
                                                                                   │       ⠑⡄×
                                                                                   │        ⠈⠢⠤⡀
                                                                                   │           ⠘⠢×  ×
                                                                                   │             ⠉⠉⠉⠢⢄⢀⣀×
                                                                                   │                  ⠁ ⠉⠢⠤×⠒⢄×⢀⣀⣀×  ×   ×
                                                                                   │ 0.74                     ⠈⠁  ⠑⠒⠉⠉⠒⠤⠤⠒⠢⣀×
                                                                                   │ drawn      █▄▁▆ ▂▅▄▁
      ─ Size 7/9 · small-large@2 ──────────────────────────────────────────────────────────────────── switch reads 61 tokens ─
       small ┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━━┼━━━━━━━━━━━━┼━━━━━━━━━━━━●────────────┼────────────┼ large
       small[0..<1] → large[2..<8] · 3.1M parameters · 6.2 MFLOPs/token · 19 ms/token · 52.1 tok/s · quality 83%
      ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
       ›
       Enter sends · Ctrl-J new line · Alt-← Alt-→ size · F1 help                                                 context 12%
      """)
  }

  @Test func loading() {
    var state = AppState()
    state.apply(.resize(width: 80, height: 24))
    expectScreen(
      state,
      """
       stitch loading the family…
                                                         ├─ Frontier ─────────────────
        The family is loading. You can write already.    │
                                                         │
                                                         │
                                                         │
                                                         │
                                                         │
                                                         ├─ Training ─── Alt-T folds ─
                                                         │ Idle.
                                                         │ /train lists lessons that
                                                         │ teach all sizes while you
                                                         │ chat; /train FILE takes
                                                         │ your data.
                                                         │
                                                         │
                                                         │
                                                         │
      ─ Size ─────────────────────────────────────────────────────────────────────────
       ──────────────────────────────────────────────────────────────────────────────

      ────────────────────────────────────────────────────────────────────────────────
       ›
       Enter sends · Ctrl-J new line · Alt-← Alt-→ size · F1 help
      """)
  }

  @Test func help() {
    var state = readyState(width: 40, height: 15)
    state.press(.function(1))
    expectScreen(
      state,
      """
       stitch tiny · 9 sizes
       ┌ Help ──────────────────────────────┐
       │ Size                               │
       │ Alt-←, Alt-B, F7                   │
       │     smaller network, from the next │
       │     reply on                       │
       │ Alt-→, Alt-F, F8                   │
       │     larger network                 │
       │ Alt-Home                           │
       │     smallest                       │
       │ Alt-End                            │
       │     largest                        │
      ─│ Alt-↑, Alt-+                       │─
       └── 1-11 of 213 · PgDn · Esc closes ─┘
       Enter sends · F1 help       context 0%
      """)
  }

  @Test func tooSmall() {
    expectScreen(
      readyState(width: 29, height: 4),
      """
      stitch needs 30x10; make the
      window larger


      """)
  }
}
