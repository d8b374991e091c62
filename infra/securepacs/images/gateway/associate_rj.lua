-- A-ASSOCIATE-RJ (PS3.8 section 9.3.4): a refused peer is told so in DICOM, instead of losing its connection without a word.
-- PDU type 03, reserved, length 4, reserved, result, source, reason.
local reasons = {
  -- rejected permanent, service user
  associate_rj_calling = "\x01\x01\x03", -- calling AE title not recognised
  associate_rj_called = "\x01\x01\x07", -- called AE title not recognised
  -- rejected transient, service provider (presentation)
  associate_rj_limit = "\x02\x03\x02", -- local limit exceeded
}

for name, reason in pairs(reasons) do
  core.register_service(name, "tcp", function(applet)
    applet:send("\x03\x00\x00\x00\x00\x04\x00" .. reason)
  end)
end
