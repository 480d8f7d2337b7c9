import Foundation
import Support
import Testing

/// Limits are read where containers and batch systems set them.
@Suite struct ControlGroupTests {
  private func groups(_ files: [String: String]) throws -> ControlGroups {
    let root = FileManager.default.temporaryDirectory.appending(path: "stitch-groups-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for (name, text) in files {
      let file = root.appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    return ControlGroups(root: root.path)
  }

  private let unified = "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"

  @Test func withoutLimitsThereAreNone() throws {
    for files in [
      [:], ["proc/self/cgroup": "garbage", "proc/self/mountinfo": "more of it - cgroup2"],
      [
        "proc/self/cgroup": "0::/user.slice\n", "proc/self/mountinfo": unified,
        "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n", "sys/fs/cgroup/user.slice/memory.max": "max\n",
      ],
    ] {
      let found = try groups(files)
      #expect(found.processors == nil && found.memory == nil && found.memoryLeft == nil)
      #expect(SystemProcessors.usable(of: 3, within: found) == 3)
    }
  }

  @Test func theTightestOfAllGroupsAboveHolds() throws {
    let found = try groups([
      "proc/self/cgroup": "0::/box/job\n", "proc/self/mountinfo": unified,
      "sys/fs/cgroup/box/cpu.max": "250000 100000\n", "sys/fs/cgroup/box/job/cpu.max": "900000 100000\n",
      "sys/fs/cgroup/box/memory.max": "1000\n", "sys/fs/cgroup/box/memory.current": "900\n",
      "sys/fs/cgroup/box/memory.stat": "anon 500\ninactive_file 300\n",
      "sys/fs/cgroup/box/job/memory.max": "500\n", "sys/fs/cgroup/box/job/memory.current": "20\n",
    ])
    #expect(found.processors == 2.5 && found.memory == 500 && found.memoryLeft == 400)
    #expect(SystemProcessors.usable(of: 8, within: found) == 2 && SystemProcessors.usable(of: 1, within: found) == 1)
  }

  @Test func processorsThatAreAllowedAreCounted() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "stitch-status-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    for (mask, count) in [("1", 1), ("f0,00000007", 7), ("ffffffff,ffffffff", 64), ("00000000", nil)]
      as [(String, Int?)]
    {
      try Data("Name:\tstitch\nCpus_allowed:\t\(mask)\nCpus_allowed_list:\t0-1\n".utf8).write(to: file)
      #expect(SystemProcessors.allowed(status: file.path) == count)
    }
    #expect(SystemProcessors.allowed(status: "/no/such") == nil)
  }

  @Test func oldHierarchiesAreReadToo() throws {
    let found = try groups([
      "proc/self/cgroup": "5:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n0::/\n",
      // A container sees its own group as the root.
      "proc/self/mountinfo": """
      40 32 0:35 /docker/ab /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct
      41 32 0:36 /docker/ab /sys/fs/cgroup/memory ro master:11 - cgroup cgroup rw,memory
      42 32 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw

      """,
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "4096\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "5000\n",
      "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1000\n",
    ])
    #expect(found.processors == 0.5 && found.memory == 4096 && found.memoryLeft == 96)
    #expect(SystemProcessors.usable(of: 8, within: found) == 1)
    let free = try groups([
      "proc/self/cgroup": "5:memory:/\n4:cpu:/\n",
      "proc/self/mountinfo": """
      40 32 0:35 / /c/cpu rw - cgroup cgroup rw,cpu
      41 32 0:36 / /c/memory rw - cgroup cgroup rw,memory
      """,
      "c/cpu/cpu.cfs_quota_us": "-1\n", "c/cpu/cpu.cfs_period_us": "100000\n",
      "c/memory/memory.limit_in_bytes": "9223372036854771712\n",
    ])
    #expect(free.processors == nil && free.memory == nil)
  }
}
