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

core.register_action("session_user", { "http-req" }, check, 0)
