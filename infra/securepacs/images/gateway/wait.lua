-- Waits so many milliseconds as txn.rest says, so that an answer takes as long whatever was found out meanwhile. HAProxy's own `pause`
-- is not in all versions that are still deployed.
core.register_action("wait", { "http-req", "http-res" }, function(txn)
  local rest = tonumber(txn:get_var("txn.rest"))
  if rest ~= nil and rest > 0 then
    core.msleep(math.min(rest, 1000))
  end
end, 0)
