#!/usr/bin/env bash
# Rules that the compiler does not know; see CONTRIBUTING.md.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0

complain() {
  echo "lint: $1" >&2
  status=1
}

# Unsafe memory stays where it is wrapped.
while IFS= read -r file; do
  case "$file" in
    Sources/Support/Files/* | Sources/LLaMAStitch/Compute/* | Sources/Tokenizer/SentencePieceHandle.swift) ;;
    # For now: raw pointers by their names, used by what compiles a network.
    Sources/LLaMAStitch/Inference/* | Sources/LLaMAStitch/Training/TrainingMatrix.swift | Sources/LLaMAStitch/Formats/*) ;;
    *) complain "$file says Unsafe; only Storage/, Compute/ and the wrapper of a C shim may" ;;
  esac
done < <(grep -rl 'Unsafe' Sources --include='*.swift')

# Every exception from Sendable checking carries its proof.
while IFS=: read -r file line _; do
  first=$((line > 25 ? line - 25 : 1))
  sed -n "${first},$((line + 1))p" "$file" | grep -q '`@unchecked Sendable`' ||
    complain "$file:$line: @unchecked Sendable without its proof in the comment"
done < <(grep -rn '@unchecked Sendable *[{,]' Sources --include='*.swift')

grep -rnE '\btry!|\bas!' Sources --include='*.swift' && complain "try! and as! end the process on what may be a user's mistake"

exit $status
