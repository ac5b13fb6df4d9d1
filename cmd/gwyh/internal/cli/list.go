package cli

// Commands are the commands in the order of the help.
var Commands = []*Command{agentCommand, doctorCommand, members, join, leave, broadcast, events, rtt, keys, meta, info, logCommand, keygen, version}
