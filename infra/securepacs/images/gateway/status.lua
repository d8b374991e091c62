-- The administrator's status: what the gateway counted in its tables, what the deployment told it (status.json), and which of its
-- neighbours answer. One set of facts, as JSON and as a page. Whoever asks was let in by the configuration already.
local port = ...
local json = require("cjson")

local PLACE = "/usr/share/securepacs/"
local HOUR, DAY = 3600, 86400
local SOON_DAYS = 14
local TIMEOUT_MS = 2000

local function read(path)
  local file <close> = assert(io.open(path, "r"))
  return file:read("a")
end

local declared = json.decode(read("/etc/gateway/status.json"))
local page = read(PLACE .. "status.html")
local style = page:match("<style>(.-)</style>")

local function iso(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

-- A number of a table, where it is there and not 0.
local function known(number)
  return number and number > 0 and number or nil
end

-- What a part answers on the gateway's own way to it; nil where it does not.
local function ask(part)
  local answer = core.httpclient():get({ url = "http://127.0.0.1:" .. port .. "/" .. part, timeout = TIMEOUT_MS })
  return answer and answer.status and answer.status >= 200 and answer.status < 300 and (answer.body or "") or nil
end

-- The sum over this hour and those before it of what `look` finds for an hour.
local function of_a_day(now, look)
  local sum = 0
  for past = 0, declared.hours - 1 do
    sum = sum + (look(now // HOUR - past) or 0)
  end
  return sum
end

-- What is declared of the backup; with it, where somebody looks (`securepacs status`), what was seen of the newest, and when.
local function backup(tables)
  local told = declared.backup
  if declared.backup_is_seen then
    local made, seen = known(tables:table_gpt0(0, "backup")), known(tables:table_gpt0(1, "backup"))
    told.newest, told.seen = made and iso(made) or json.null, seen and iso(seen) or json.null
  end
  return told
end

local function facts(tables)
  local now = core.now().sec
  local known_facts = { name = declared.name, at = iso(now), backup = backup(tables) }

  local since = known(tables:table_gpt0(0, "refusals"))
  known_facts.countedSince = since and iso(since) or json.null

  known_facts.refusals = {}
  for place, refusal in ipairs(declared.refusals) do
    known_facts.refusals[refusal.name] = of_a_day(now, function(hour)
      return tables:table_gpc(hour, place - 1, "refusals")
    end)
  end

  known_facts.peers = {}
  for ae_title, name in pairs(declared.peers) do
    local seen = known(tables:table_gpt0(name, "seen"))
    known_facts.peers[ae_title] = {
      lastSeen = seen and iso(seen) or json.null,
      associationsOfDay = of_a_day(now, function(hour)
        return tables:table_gpc0(hour .. "/" .. name, "associations")
      end),
    }
  end

  known_facts.certificates = {}
  for what, ends in pairs(declared.certificates) do
    known_facts.certificates[what] = { notAfter = iso(ends), daysLeft = math.floor((ends - now) / DAY) }
  end

  known_facts.parts, known_facts.storage = { gateway = true }, { limitMb = declared.storage_mb }
  for _, part in ipairs(declared.parts) do
    local answer = ask(part)
    known_facts.parts[part] = answer ~= nil
    if part == "archive" and answer then
      local stored = json.decode(answer)
      known_facts.storage.usedMb, known_facts.storage.studies = stored.TotalDiskSizeMB, stored.CountStudies
      known_facts.storage.images = stored.CountInstances
    end
  end
  for _, part in ipairs(declared.behind_archive) do
    known_facts.parts[part] = known_facts.parts.archive
  end
  return known_facts, now
end

-- The page. Whatever is put into it is escaped here, and nowhere else: rows and cells are made of text.

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escaped(text)
  return (tostring(text):gsub("[&<>\"']", entities))
end

local function row(name, ...)
  local cells = { '<tr><th scope="row">' .. escaped(name) .. "</th>" }
  for _, text in ipairs({ ... }) do
    cells[#cells + 1] = "<td>" .. escaped(text) .. "</td>"
  end
  return table.concat(cells) .. "</tr>\n"
end

-- Rows of a table that is looked up by names, in the order of the names.
local function rows(named, make)
  local names, made = {}, {}
  for name in pairs(named) do
    names[#names + 1] = name
  end
  table.sort(names)
  for place, name in ipairs(names) do
    made[place] = make(name, named[name])
  end
  return table.concat(made)
end

local function moment(text)
  return (text:gsub("T", " "):gsub(":%d%dZ", " UTC"))
end

local function seen_of_backup(told, now)
  if not declared.backup_is_seen then
    return "How it is seen is not declared."
  elseif told.seen == json.null then
    return "The command securepacs status has not looked at it yet."
  elseif told.newest == json.null then
    return ("On %s none was seen. ⚠"):format(moment(told.seen))
  end
  local late = told.newest < iso(now - told.hours * HOUR)
  return ("The newest is of %s, as seen on %s.%s"):format(moment(told.newest), moment(told.seen), late and " ⚠" or "")
end

local function backed_up(told, now)
  if told == json.null then
    return "Nobody is declared to copy the studies."
  end
  return ("By %s, to %s; the newest may be %d hours old. %s"):format(told.by, told.to, told.hours, seen_of_backup(told, now))
end

local function stored(storage)
  if not storage.usedMb then
    return "Unknown: the archive does not answer."
  end
  local share = 100 * storage.usedMb / storage.limitMb
  return ("%d of %d MB (%.0f %%): %d studies, %d images."):format(storage.usedMb, storage.limitMb, share, storage.studies, storage.images)
end

local function html(known_facts, now)
  local since = known_facts.countedSince ~= json.null and known_facts.countedSince or nil
  local unseen = "not yet"
  if since and since < iso(now - declared.seen_days * DAY) then
    unseen = ("not in %d days"):format(declared.seen_days)
  end
  local links, refused = {}, {}
  for place, link in ipairs(declared.links) do
    links[place] = ('<a href="%s">%s</a>'):format(escaped(link.to), escaped(link.told))
  end
  for place, refusal in ipairs(declared.refusals) do
    refused[place] = row(refusal.told, known_facts.refusals[refusal.name])
  end
  local values = {
    name = escaped(known_facts.name),
    at = escaped(moment(known_facts.at)),
    since = escaped(since and moment(since) or "a moment"),
    links = table.concat(links, "\n"),
    parts = rows(known_facts.parts, function(part, answers)
      return row(part, answers and "answers" or "does not answer")
    end),
    certificates = rows(known_facts.certificates, function(what, it)
      return row(what, it.daysLeft .. (it.daysLeft < SOON_DAYS and " ⚠" or ""), it.notAfter:sub(1, 10))
    end),
    peers = rows(known_facts.peers, function(ae_title, it)
      return row(ae_title, it.lastSeen ~= json.null and moment(it.lastSeen) or unseen, it.associationsOfDay)
    end),
    refusals = table.concat(refused),
    stored = escaped(stored(known_facts.storage)),
    backup = escaped(backed_up(known_facts.backup, now)),
  }
  return (page:gsub("{{(%l+)}}", values))
end

local POLICY = "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

core.register_service("status", "http", function(applet)
  local known_facts, now = facts(applet.c)
  local kind, body = "application/json", nil
  if applet.path == "/status.json" then
    body = json.encode(known_facts) .. "\n"
  else
    kind, body = "text/html; charset=utf-8", html(known_facts, now)
  end
  applet:set_status(200)
  applet:add_header("content-type", kind)
  applet:add_header("content-length", tostring(#body))
  applet:add_header("content-security-policy", POLICY:format(applet.c:base64(applet.c:sha2(style, 256))))
  applet:start_response()
  applet:send(body)
end)
