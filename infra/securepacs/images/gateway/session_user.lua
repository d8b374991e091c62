-- Whose is this session? The sign-in is asked, over the gateway's own loopback, of the one cookie that the gateway found. Whatever is
-- not a plain yes is a no; where the answer is neither, nobody is taken for signed out.
local port, name = ...

local check = function(txn)
  local answer = core.httpclient():get({
    url = "http://127.0.0.1:" .. port .. "/oauth2/auth",
    headers = { ["cookie"] = { name .. "=" .. txn:get_var("txn.cookie") } },
    timeout = 3000,
  })
  local status = answer and answer.status
  if status ~= 202 then
    if status ~= 401 then
      txn:set_var("txn.unsure", true)
    end
    return
  end
  local user = (answer.headers or {})["x-auth-request-user"]
  if user ~= nil and user[0] ~= nil and user[1] == nil then
    txn:set_var("txn.session_user", user[0])
  end
end

-- A page asks for hundreds of things at once, and the answer is the same: what was a yes is remembered by the cookie's digest, for the rest
-- of these two seconds. What ends a session here (sign-out, idle time, a new password) is looked up with each request all the same.
local SECONDS, ANSWER = 2, "txn.session_user"
local remembered, period = {}, 0

local once = function(ask)
  return function(txn)
    local now = core.now().sec // SECONDS
    if now ~= period then
      remembered, period = {}, now
    end
    local session = txn:get_var("txn.session")
    if remembered[session] then
      txn:set_var(ANSWER, remembered[session])
      return
    end
    ask(txn)
    if period == now then -- a slow answer is not kept for the period after it
      remembered[session] = txn:get_var(ANSWER)
    end
  end
end

core.register_action("session_user", { "http-req" }, once(check), 0)
