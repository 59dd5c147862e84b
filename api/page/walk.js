/* A tester walks through a unit with one badge and taps each room. Everything that comes from the bridge is inserted as text. */

const $ = (id) => document.getElementById(id)

let walk = null

const say = (text, bad) => {
  $('state').textContent = text
  $('state').className = bad ? 'state bad' : 'state'
}

const post = async (path, body) => {
  const token = $('token').value
  const response = await fetch(path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  })
  const said = await response.json().catch(() => null)
  if (!response.ok)
    throw new Error(said?.error ? `${said.error.message}. ${said.error.do}` : `HTTP ${response.status}`)
  return said
}

/** Runs what a button asks for; what goes wrong stands on the page. */
const attempt = async (act) => {
  try {
    await act()
  } catch (error) {
    say(error.message, true)
  }
}

const buttonFor = ({ path, name }) => {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = name
  button.addEventListener('click', () =>
    attempt(async () => {
      await post(`/v1/location-walks/${walk.id}/tap`, { place: path })
      for (const other of $('rooms').querySelectorAll('button')) other.removeAttribute('aria-pressed')
      button.setAttribute('aria-pressed', 'true')
      say(`You are in: ${name}`)
    }),
  )
  const line = document.createElement('p')
  line.append(button)
  return line
}

const scoreOf = ({ score }) => [
  `${score.right} of ${score.rooms} rooms right`,
  ...(score.lagMs === null ? [] : [`half of them within ${(score.lagMs / 1000).toFixed(1)} s`]),
  ...score.wrong.map(({ place, reported }) => `${place}: reported ${reported ?? 'nowhere'}`),
  ...score.missing.map((place) => `${place}: not tried`),
]

$('begin').addEventListener('submit', (event) => {
  event.preventDefault()
  attempt(async () => {
    walk = await post('/v1/location-walks', { device: $('device').value, unit: $('unit').value })
    $('begin').hidden = true
    $('main').hidden = false
    $('rooms').replaceChildren(...walk.rooms.map(buttonFor))
    say('Tap the room that you are in.')
  })
})

$('end').addEventListener('click', () =>
  attempt(async () => {
    const ended = await post(`/v1/location-walks/${walk.id}/end`, {})
    $('rooms').replaceChildren()
    $('end').hidden = true
    $('score').textContent = scoreOf(ended).join('\n')
    say('Ended. The score is kept.')
  }),
)
