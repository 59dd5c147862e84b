/** Number of insertions, deletions, replacements and swaps of neighbours from `a` to `b`; case doesn't count. */
const distance = (a: string, b: string): number => {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()]
  let older: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, j) => j)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1]
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        cost = Math.min(cost, older[j - 2]! + 1)
      row.push(cost)
    }
    older = last
    last = row
  }
  return last[to.length]!
}

/** The known word that was probably meant; null when none is close. */
const closest = (word: string, known: Iterable<string>): string | null => {
  const limit = Math.max(1, Math.floor(word.length / 3))
  let best: string | null = null
  let least = limit + 1
  if (word.length > 300) return null
  const depth = word.split('/').length
  const end = `/${word.slice(word.lastIndexOf('/') + 1)}`
  for (const candidate of known) {
    if (best === null && candidate.endsWith(end)) best = candidate // the right place by a wrong path
    if (candidate.split('/').length !== depth) continue
    if (Math.abs(candidate.length - word.length) > limit) continue
    const d = distance(word, candidate)
    if (d < least) [best, least] = [candidate, d]
  }
  return best
}

/** "a, b and c", cut after `most`. */
export const list = (words: Iterable<string>, last = 'and', most = 12): string => {
  const all = [...words].map((word) => `\`${word}\``)
  if (all.length > most) return `${all.slice(0, most).join(', ')} … (${all.length} in all)`
  return all.length < 2 ? (all[0] ?? 'none') : `${all.slice(0, -1).join(', ')} ${last} ${all.at(-1)}`
}

/** What would be right: the word that was probably meant, or what there is. */
export const didYouMean = (word: string, known: Iterable<string>): string => {
  const all = [...known]
  const meant = closest(word, all)
  if (meant !== null) return `did you mean \`${meant}\`?`
  return all.length === 0 ? 'there is none' : `there is ${list(all)}`
}
