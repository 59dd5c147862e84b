/** Milliseconds of an xs:duration as devices meet it (PT5S, PT1M30S); undefined for anything else. */
export const durationMs = (text: string): number | undefined => {
  const match = /^PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$/.exec(text)
  if (!match) return undefined
  const [hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
  ]
  return ((hours * 60 + minutes) * 60 + seconds) * 1_000
}
