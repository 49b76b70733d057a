import QuellCommands

Door.main()
