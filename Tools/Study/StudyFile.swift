import Foundation
import LLaMAStitch
import Yams

/// A study as its YAML file declares it: what is compared, on which data, with how many tokens.
///
/// Paths are relative to the directory of inputs, which is not part of the file.
public struct StudyFile: Sendable, Equatable, Decodable {
  /// Names the folder the runs are kept in.
  public var name: String
  public var threads: Int
  /// Optimiser steps of every adaptation, all stages of a method together.
  public var steps: Int
  /// Tokens of a step, about.
  public var tokensPerStep: Int
  public var checkpointInterval: Int
  /// Of the methods; searches and ablations use the first.
  public var seeds: [UInt64]
  public var data: DataPaths
  public var questions: QuestionCounts
  /// The hypervolume's reference cost, on its scale: 0 at the cheapest anchor, 1 at the most expensive.
  public var referenceCost: Double
  public var families: [FamilyPlan]
  public var methods: [MethodPlan]
  public var ablations: [AblationPlan]
  /// Families measured as they are, before any adaptation.
  public var unadapted: [String]
  public var sanity: SanityPlan?

  public struct DataPaths: Sendable, Equatable, Decodable {
    public var adaptation: String
    public var validation: String
    public var test: String
  }

  /// How many questions of a split are asked, a sample of its file.
  public struct QuestionCounts: Sendable, Equatable, Decodable {
    /// For choices.
    public var validation: Int
    /// For the figures of the methods.
    public var test: Int
    /// For the figures of ablations and unadapted families; of the test split too.
    public var ablation: Int
  }

  /// A family: a directory that is there, or one that the study builds from anchors.
  public struct FamilyPlan: Sendable, Equatable, Decodable {
    public var name: String
    public var title: String
    public var path: String?
    public var anchors: [Anchor]?
    public var calibration: String?
    public var options: [String: OptionValue]?

    public struct Anchor: Sendable, Equatable, Decodable {
      public var name: String
      public var path: String
    }
  }

  public struct MethodPlan: Sendable, Equatable, Decodable {
    public var name: String
    public var title: String
    public var family: String
    /// Of `stitch adapt`.
    public var options: [String: OptionValue]
    public var learningRates: [Double]
    /// Instead of the study's.
    public var steps: Int?
    /// Other ways to run it, each tried with the best learning rate.
    public var variants: [Variant]?
    /// Whether every stitch has to be evaluated before stops can be chosen: that time is the method's then.
    public var sweeps: Bool
    /// Whether its networks are the anchors alone.
    public var anchorsOnly: Bool?

    public struct Variant: Sendable, Equatable, Decodable {
      public var name: String
      /// Added to the method's.
      public var options: [String: OptionValue]
    }
  }

  /// A method with something changed.
  public struct AblationPlan: Sendable, Equatable, Decodable {
    public var name: String
    public var title: String
    /// The method, with its chosen learning rate.
    public var of: String
    /// The ablation it is compared with; the method itself if absent.
    public var against: String?
    /// Instead of the method's.
    public var family: String?
    /// Added to the method's; `false` takes one away.
    public var options: [String: OptionValue]?
  }

  /// Stitches that must do what an anchor does, unadapted.
  public struct SanityPlan: Sendable, Equatable, Decodable {
    public var family: String
    public var anchor: String
    /// Greatest allowed difference of exact match, as a share.
    public var tolerance: Double
  }

  /// Reads and checks a file.
  /// - Throws: `StudyError`.
  public init(_ url: URL) throws(StudyError) {
    let bytes: Data
    do { bytes = try Data(contentsOf: url) } catch {
      throw .unreadable(file: url.path, cause: "it cannot be read; check the path")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .unreadable(file: url.path, cause: "it is not UTF-8 text")
    }
    do { self = try YAMLDecoder().decode(StudyFile.self, from: text) } catch let error as DecodingError {
      throw .unreadable(file: url.path, cause: Self.explain(error))
    } catch {
      throw .unreadable(file: url.path, cause: "it is not valid YAML")
    }
    if let cause = flaw { throw .unreadable(file: url.path, cause: cause) }
  }

  /// What is wrong with the study, if anything.
  private var flaw: String? {
    func isGood(_ name: String) -> Bool { name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.-]*/) != nil }
    let variants = methods.flatMap { ($0.variants ?? []).map(\.name) }
    let names = families.map(\.name) + methods.map(\.name) + variants + ablations.map(\.name)
    if let bad = ([name] + names).first(where: { !isGood($0) }) {
      return "“\(bad)” cannot be a name; use letters, digits, “-”, “_” and “.”"
    }
    for list in [families.map(\.name), methods.map(\.name), ablations.map(\.name)] where Set(list).count < list.count {
      return "two families, methods or ablations have the same name"
    }
    let numbers = [
      threads, steps, tokensPerStep, checkpointInterval, questions.validation, questions.test, questions.ablation,
    ]
    if numbers.contains(where: { $0 < 1 }) {
      return "threads, steps, tokens, intervals and questions must be at least 1"
    }
    if seeds.isEmpty || Set(seeds).count < seeds.count { return "seeds must be a list of different numbers" }
    if !(referenceCost > 0 && referenceCost.isFinite) { return "referenceCost must be a positive number" }
    for family in families {
      let isBuilt = family.anchors != nil && family.calibration != nil
      if (family.path != nil) == isBuilt {
        return "family \(family.name) needs either a path, or anchors and calibration"
      }
      for anchor in family.anchors ?? [] where !isGood(anchor.name) { return "“\(anchor.name)” cannot name an anchor" }
    }
    for method in methods {
      let variants = (method.variants ?? []).map(\.name)
      if Set(variants).count < variants.count || variants.contains(StudyPlan.plain) {
        return "variants of \(method.name) need different names, none of them “\(StudyPlan.plain)”"
      }
      if method.learningRates.isEmpty || method.learningRates.contains(where: { !($0 > 0 && $0.isFinite) }) {
        return "method \(method.name) needs positive learning rates"
      }
    }
    if methods.contains(where: { ($0.steps ?? 1) < 1 }) { return "steps must be at least 1" }
    if Set(methods.map { $0.learningRates.count }).count > 1 {
      return "every method must search as many learning rates"
    }
    let usedFamilies =
      methods.map(\.family) + ablations.compactMap(\.family) + unadapted
      + (sanity.map { [$0.family] } ?? [])
    if let unknown = usedFamilies.first(where: { name in !families.contains { $0.name == name } }) {
      return "there is no family \(unknown)"
    }
    if let sanity, !unadapted.contains(sanity.family) {
      return "the sanity check needs \(sanity.family) among unadapted"
    }
    for ablation in ablations {
      if !methods.contains(where: { $0.name == ablation.of }) { return "there is no method \(ablation.of)" }
      if let other = ablation.against, !ablations.contains(where: { $0.name == other }) {
        return "there is no ablation \(other)"
      }
    }
    return nil
  }

  private static func explain(_ error: DecodingError) -> String {
    func place(_ path: [any CodingKey]) -> String {
      path.map { $0.intValue.map { String($0 + 1) } ?? $0.stringValue }.joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context): return "the field “\(place(context.codingPath + [key]))” is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      return context.codingPath.isEmpty
        ? "it is not valid YAML" : "the field “\(place(context.codingPath))” has a value of the wrong kind"
    @unknown default: return "it cannot be understood"
    }
  }
}

/// The value of a command-line option.
public enum OptionValue: Sendable, Equatable, Decodable {
  /// Given without a value, or not given.
  case flag(Bool)
  case text(String)

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do { self = .flag(try container.decode(Bool.self)) } catch { self = .text(try container.decode(String.self)) }
  }
}

extension [String: OptionValue] {
  /// As a command line has them, in alphabetical order.
  var arguments: [String] {
    sorted { $0.key < $1.key }.flatMap { name, value in
      switch value {
      case .flag(let isGiven): isGiven ? ["--\(name)"] : []
      case .text(let text): ["--\(name)", text]
      }
    }
  }
}

/// Why a study could not be run or reported. Every description is one line.
public enum StudyError: Error, CustomStringConvertible, Equatable {
  case unreadable(file: String, cause: String)
  case missingInput(path: String, remedy: String)
  case isRunning(directory: String)
  case cannotStart(program: String, cause: String)
  case damaged(file: String)
  /// A signal asked the study to end; what is finished stays.
  case stopped

  public var description: String {
    switch self {
    case .unreadable(let file, let cause): "\(file): \(cause)"
    case .missingInput(let path, let remedy): "\(path) is missing; \(remedy)"
    case .isRunning(let directory):
      "\(directory): a study, or a run that outlived one, is still at work there; wait for it or end it"
    case .cannotStart(let program, let cause): "cannot start \(program): \(cause)"
    case .damaged(let file): "\(file) is damaged; delete it to run that part again"
    case .stopped: "stopped; the same command goes on from here"
    }
  }
}
