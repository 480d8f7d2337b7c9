// ChatTUI
