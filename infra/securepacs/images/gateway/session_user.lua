-- Whose is this session? The sign-in is asked, over the gateway's own loopback. Whatever is not a plain yes is a no.
local PORT = ...

local check = function(txn)
  local cookies = txn.http:req_get_headers()["cookie"]
  if cookies == nil or cookies[0] == nil or cookies[1] ~= nil then
    return
  end
  local answer = core.httpclient():get({
    url = "http://127.0.0.1:" .. PORT .. "/oauth2/auth",
    headers = { ["cookie"] = { cookies[0] } },
    timeout = 3000,
  })
  if answer == nil or answer.status ~= 202 then
    return
  end
  local user = (answer.headers or {})["x-auth-request-user"]
  if user ~= nil and user[0] ~= nil and user[1] == nil then
    txn:set_var("txn.session_user", user[0])
  end
end

core.register_action("session_user", { "http-req" }, check, 0)
