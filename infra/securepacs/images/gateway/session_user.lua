-- Whose is this session? The sign-in is asked, over the gateway's own loopback, of the one cookie that the gateway found. Whatever is
-- not a plain yes is a no; where the answer is neither, nobody is taken for signed out.
--
-- Where a provider says who has which role, the values stand behind the arguments' roles. The list that the sign-in tells is one line
-- with commas, in which a value with a comma would pass for two: it says only what is worth asking, and the sign-in compares whole values.
local port, name, header = ...
local roles = {}
for _, argument in ipairs({ select(4, ...) }) do
  local role, values = argument:match("^(%a+)=(.+)$")
  local asked = values:gsub("[^%w,]", function(byte) return ("%%%02X"):format(byte:byte()) end)
  local listed = {}
  for value in values:gmatch("[^,]+") do
    listed[#listed + 1] = value
  end
  roles[#roles + 1] = { role = role, values = listed, query = "?allowed_groups=" .. asked }
end

-- It goes into the log and to the archive.
local is_name = function(text)
  return #text <= 64 and text:find("^[%w._@+-]+$") ~= nil
end

local only = function(headers, key)
  local found = headers[key]
  return found ~= nil and found[1] == nil and found[0] or nil
end

local ask = function(cookie, query)
  local answer = core.httpclient():get({
    url = "http://127.0.0.1:" .. port .. "/oauth2/auth" .. query,
    headers = { ["cookie"] = { name .. "=" .. cookie } },
    timeout = 3000,
  })
  return answer and answer.status, answer and answer.headers or {}
end

-- The first role of which the sign-in says yes: nil where there is none, false where it does not say.
local role_of = function(cookie, told)
  for _, asked in ipairs(roles) do
    for _, value in ipairs(asked.values) do
      if told:find(value, 1, true) then
        local status = ask(cookie, asked.query)
        if status == 202 then
          return asked.role
        elseif status ~= 403 then
          return false
        end
        break
      end
    end
  end
end

local check = function(txn)
  local cookie = txn:get_var("txn.cookie")
  local status, headers = ask(cookie, "")
  if status ~= 202 then
    if status ~= 401 then
      txn:set_var("txn.unsure", true)
    end
    return
  end
  local user = only(headers, header)
  local role = #roles == 0 and "" or role_of(cookie, only(headers, "x-auth-request-groups") or "")
  if role == false then
    txn:set_var("txn.unsure", true)
  elseif role == nil or user == nil or not is_name(user) then
    -- Signed in, and nobody here: not to be sent to the sign-in again.
    txn:set_var("txn.nobody_here", true)
  else
    txn:set_var("txn.session_user", user)
    txn:set_var("txn.session_role", role)
  end
end

core.register_action("session_user", { "http-req" }, check, 0)
