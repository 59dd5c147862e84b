/* The plain status page. Everything that comes from the bridge is inserted as text. Persons' names are not shown. */

const eventsMax = 50
/** The newest incidents are shown with their receipts. */
const detailedMax = 10
const faultsMax = 20
const refreshMs = 500
const ageMs = 1_000
const againMs = 1_000
const countMs = 5_000

const $ = (id) => document.getElementById(id)

let token = null
let lastId = null
let behind = 0
let wanted = false
let refreshing = false

const element = (name, text, className) => {
  const made = document.createElement(name)
  if (text !== undefined) made.textContent = text
  if (className) made.className = className
  return made
}

const headers = (more) => ({ ...more, ...(token === null ? {} : { authorization: `Bearer ${token}` }) })

/** Rejects with an Error that has `status`, and the words of the bridge. */
const ask = async (path, options = {}) => {
  const response = await fetch(path, { ...options, headers: headers(options.headers) })
  const body = await response.json().catch(() => null)
  if (response.ok || path === '/readyz') if (response.status !== 401 && response.status !== 403) return body
  const said = body?.error
  throw Object.assign(new Error(said ? `${said.message}. ${said.do}` : `HTTP ${response.status}`), {
    status: response.status,
  })
}

const post = (path, body) =>
  ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

const words = (ms) => {
  const s = Math.max(0, Math.round(ms / 1_000))
  if (s < 60) return `${s} s`
  if (s < 3_600) return `${Math.floor(s / 60)} min ${s % 60} s`
  return `${Math.floor(s / 3_600)} h ${Math.floor((s % 3_600) / 60)} min`
}

const timeOf = (at) => new Date(at).toLocaleTimeString('en-GB')

const now = () => Date.now() + behind

/** "Not recording" must be seen from across the room. */
const showState = (ready) => {
  $('main').className = ''
  behind = ready.now - Date.now()
  $('site').textContent = ready.site
  const state = $('state')
  state.textContent = ready.recording
    ? 'Recording'
    : `NOT RECORDING: responding from memory. ${ready.why ?? ''}`
  state.className = `state ${ready.recording ? 'good' : 'bad'}`
  const parts = [
    `${ready.openIncidents} open`,
    `links: ${ready.links.up} up, ${ready.links.down} down`,
    `${ready.openFaults} faults`,
    `version ${ready.version}`,
  ]
  $('figures').textContent = parts.join(' · ')
}

const showAway = (why) => {
  // What is shown may be over by now.
  $('main').className = 'stale'
  const state = $('state')
  state.textContent = `NO CONNECTION to the bridge. ${why}`
  state.className = 'state bad'
}

const deeds = (incident) => {
  const said = [
    incident.acknowledged && 'acknowledged',
    incident.onTheWay && 'on the way',
    incident.onScene && 'on the scene',
    incident.takenBack && 'caller took it back: coerced?',
    incident.released && 'doors released',
  ].filter(Boolean)
  return said.length > 0 ? said.join(', ') : 'NOT acknowledged'
}

const act = (label, path, body, article, disabled) => {
  const button = element('button', label)
  button.type = 'button'
  button.disabled = Boolean(disabled)
  button.addEventListener('click', async () => {
    button.disabled = true
    try {
      await post(path, typeof body === 'function' ? body() : body)
    } catch (error) {
      article.append(element('p', error.message, 'bad'))
    }
    refresh()
  })
  return button
}

const buttons = (incident, article) => {
  const path = `/v1/incidents/${encodeURIComponent(incident.id)}`
  const as = element('select')
  as.setAttribute('aria-label', 'What it was')
  for (const [value, label] of [
    ['real', 'real'],
    ['false-alarm', 'false alarm'],
    ['drill', 'drill'],
    ['test', 'test'],
  ]) {
    const option = element('option', label)
    option.value = value
    as.append(option)
  }
  as.value = chosen.get(incident.id) ?? (incident.drill ? 'drill' : 'real')
  as.addEventListener('change', () => chosen.set(incident.id, as.value))
  const row = element('div', undefined, 'acts')
  row.append(
    act('Acknowledge', `${path}/acknowledge`, {}, article, incident.acknowledged),
    act('Release doors', `${path}/release`, {}, article, incident.released),
    as,
    act('Resolve', `${path}/resolve`, () => ({ as: as.value }), article, false),
  )
  return row
}

/** What was chosen survives a refresh. */
const chosen = new Map()

const receiptLine = ({ target, capability, receipt }) => {
  const item = element('li')
  item.append(`${capability} → ${target}: `)
  if (!receipt) item.append(element('span', 'under way', 'soft'))
  else if (receipt.end === 'done') item.append(element('span', `done (${receipt.proof})`, 'good'))
  else {
    const possible = receipt.effect === 'possible' ? '; may have had an effect' : ''
    item.append(element('span', `${receipt.end}: ${receipt.why}${possible}`, 'bad'))
  }
  return item
}

const incidentCard = ({ incident, where: known, commands }) => {
  const article = element('article', undefined, incident.drill ? 'drill' : '')
  const flags = [incident.drill && 'DRILL', incident.silent && 'SILENT'].filter(Boolean).join(' ')
  article.append(element('h3', `${flags} ${incident.kind.toUpperCase()} #${incident.number}`.trim()))
  const seen = element('span', '', 'soft')
  seen.dataset.since = incident.location.at
  const where = element('p')
  where.append(element('strong', known ?? 'PLACE UNKNOWN'), ' ')
  if (known !== null) where.append('(seen ', seen, ' ago)')
  if (incident.unknown.length > 0)
    where.append(element('strong', ` unknown source: ${incident.unknown.join('; ')}`, 'bad'))
  const age = element('span', '')
  age.dataset.since = incident.openedAt
  const open = element('p', 'Open for ')
  open.append(age, `, ${incident.presses} ${incident.presses === 1 ? 'press' : 'presses'}, `)
  const answered = incident.acknowledged || incident.onTheWay || incident.onScene
  open.append(element('strong', deeds(incident), answered ? 'good' : 'bad'))
  const receipts = element('ul')
  receipts.append(...commands.map(receiptLine))
  article.append(where, open, buttons(incident, article), receipts)
  return article
}

const showIncidents = (details, more) => {
  const cards = details.map(incidentCard)
  if (cards.length === 0) cards.push(element('p', 'None.', 'soft'))
  if (more > 0) cards.push(element('p', `and ${more} older`, 'bad'))
  $('incidents').replaceChildren(...cards)
  showAges()
}

const list = (id, items, none) => {
  $(id).replaceChildren(...(items.length > 0 ? items : [element('li', none, 'soft')]))
}

const doorLine = (door) => {
  const item = element('li', `${door.label}: `)
  const mode = door.reported ? door.reported.mode : 'no report'
  const forced = door.reported?.forced ? ', FORCED' : ''
  item.append(element('strong', `${mode}${forced}`, door.reported ? '' : 'bad'))
  if (door.ageMs !== null) item.append(element('span', ` (${words(door.ageMs)} ago)`, 'soft'))
  for (const hold of door.holds) {
    const proof = hold.confirmed ? 'confirmed' : 'NOT confirmed'
    item.append(element('span', ` · held (${hold.mode}, ${proof}) until ${timeOf(hold.until)}`, 'bad'))
  }
  if (door.releasing) item.append(element('span', ' · being released', 'bad'))
  if (door.highlightedBy.length > 0) item.append(element('span', ' · LOOK HERE', 'bad'))
  if (door.fire !== 'clear') item.append(element('span', ` · fire: ${door.fire}`, 'bad'))
  const lock = door.lockable ? '' : ` · never locked: ${door.whyNot}`
  item.append(element('span', lock, 'soft'))
  return item
}

/** How many stand how, the worst first; and what is in a mode that nobody is to forget. */
const standLines = ({ counts, service, walkTests }) => {
  const bad = ['damaged', 'lost', 'missing', 'late']
  const some = Object.entries(counts).filter(([, count]) => count > 0)
  const lines = some.map(([is, count]) =>
    element('li', `${count} ${is.replace('-', ' ')}`, bad.includes(is) ? 'bad' : ''),
  )
  const until = (at) => `until ${timeOf(at)}`
  return [
    ...lines,
    ...service.map((one) =>
      element('li', `SERVICE MODE ${until(one.until)}: ${one.device}, ${one.why}`, 'bad'),
    ),
    ...walkTests.map((one) =>
      element('li', `WALK TEST ${until(one.until)}: ${one.devices.join(', ')}`, 'bad'),
    ),
  ]
}

/** Counting all devices takes a while on a large site. */
let countedAt = 0
const count = async () => {
  if (Date.now() - countedAt < countMs) return
  countedAt = Date.now()
  list('devices', standLines(await ask('/v1/devices?only=counts')), 'None configured.')
}

const linkLine = (link) => {
  const item = element('li', `${link.name}: `)
  item.append(element('strong', link.up ? 'up' : `DOWN: ${link.why}`, link.up ? 'good' : 'bad'))
  if (link.ageMs !== null) item.append(element('span', ` · data ${words(link.ageMs)} old`, 'soft'))
  return item
}

const faultLine = ({ what, openedAt }) => {
  const item = element('li')
  item.append(element('time', timeOf(openedAt)), element('span', what, 'bad'))
  return item
}

const showAges = () => {
  for (const age of document.querySelectorAll('[data-since]'))
    age.textContent = words(now() - Number(age.dataset.since))
}

const sayings = {
  press: (e) => {
    const drill = e.drill ? 'DRILL ' : ''
    const from = e.device === null ? `, unknown source: ${e.words}` : ''
    return `${drill}${e.kind} press${e.phase === 'restored' ? ' restored' : ''}, ${e.place ?? 'place unknown'}${from}`
  },
  opened: (e) => `incident #${e.number} opened, plan ${e.plan}${e.silent ? ', silent' : ''}`,
  change: (e) => `incident ${e.is}`,
  command: (e) => `${e.capability} → ${e.target}`,
  retry: (e) => `${e.code}: attempt ${e.attempt} failed: ${e.why}`,
  receipt: (e) => `${e.capability} → ${e.target}: ${e.end}${e.why ? `: ${e.why}` : ''}`,
  hold: (e) =>
    e.ended === null
      ? `${e.door} held (${e.mode})${e.confirmed ? ', confirmed' : ''}`
      : // By whom is a name; the incident's timeline has it.
        `${e.door} held no longer: ${e.ended.startsWith('released by') ? 'released' : e.ended}`,
  fault: (e) => `${e.open ? 'FAULT' : 'over'}: ${e.words}`,
  summary: (e) => `${e.words} (${e.count})`,
  answer: (e) => `answer: ${e.answer}`,
  start: () => 'the bridge started',
  clock: (e) => `the clock was stepped by ${e.steppedMs} ms`,
}

const isBad = (e) =>
  (e.what === 'receipt' && e.end !== 'done') || (e.what === 'fault' && e.open) || e.what === 'retry'

const showEvent = (e) => {
  const item = element('li')
  const text = sayings[e.what]?.(e) ?? String(e.what ?? e.is)
  item.append(element('time', timeOf(e.at)), element('span', text, isBad(e) ? 'bad' : ''))
  $('events').prepend(item)
  while ($('events').children.length > eventsMax) $('events').lastChild.remove()
}

const load = async () => {
  showState(await ask('/readyz'))
  const [{ incidents }, { faults, total }, { doors }, { links }] = await Promise.all([
    ask('/v1/incidents?open=true'),
    ask('/v1/faults'),
    ask('/v1/doors'),
    ask('/v1/links'),
  ])
  const details = await Promise.all(
    incidents.slice(0, detailedMax).map(({ id }) => ask(`/v1/incidents/${encodeURIComponent(id)}`)),
  )
  // A list that is being chosen from is not pulled away.
  if (document.activeElement?.tagName !== 'SELECT') showIncidents(details, incidents.length - details.length)
  else wanted = true
  const more = total > faultsMax ? [element('li', `and ${total - faultsMax} older`, 'bad')] : []
  list('faults', [...faults.slice(0, faultsMax).map(faultLine), ...more], 'None.')
  list('doors', doors.map(doorLine), 'None configured.')
  list('links', links.map(linkLine), 'None configured.')
  await count()
}

/** Asks anew, at most twice a second however much happens. */
const refresh = async () => {
  wanted = true
  if (refreshing) return
  refreshing = true
  while (wanted) {
    wanted = false
    await load().catch((error) => showAway(error.message))
    await new Promise((resolve) => setTimeout(resolve, refreshMs))
  }
  refreshing = false
}

const take = (block) => {
  let data = ''
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) lastId = line.slice(4)
    if (line.startsWith('data: ')) data = line.slice(6)
  }
  if (data === '') return
  showEvent(JSON.parse(data))
  refresh()
}

/** Server-sent events by fetch, since an EventSource can't carry a token. */
const listen = async () => {
  const from = lastId === null ? { path: '/v1/stream?from=-50', more: {} } : resumed()
  const response = await fetch(from.path, { headers: headers(from.more) })
  if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status })
  refresh()
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) throw new Error('The stream ended.')
    const blocks = (text + value).split('\n\n')
    text = blocks.pop()
    for (const block of blocks) take(block)
  }
}

const resumed = () => ({ path: '/v1/stream', more: { 'last-event-id': lastId } })

const askForToken = (why) => {
  $('main').hidden = true
  $('login').hidden = false
  $('state').textContent = 'A token is needed'
  $('refused').textContent = why
  $('token').focus()
}

const run = async () => {
  for (;;) {
    try {
      showState(await ask('/readyz'))
      $('login').hidden = true
      $('main').hidden = false
      await listen()
    } catch (error) {
      if (error.status === 401) return askForToken(token === null ? '' : error.message)
      showAway(error.message)
    }
    await new Promise((resolve) => setTimeout(resolve, againMs))
  }
}

$('login').addEventListener('submit', (event) => {
  event.preventDefault()
  token = $('token').value
  $('token').value = ''
  run()
})
setInterval(showAges, ageMs)
// Ages of doors and links, and what the stream does not tell.
setInterval(refresh, 10 * ageMs)
run()
