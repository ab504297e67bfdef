package notice

import "time"

// Record is a mail as it is kept, for those who look after its wallet.
type Record struct {
	ID        string
	Case      Case
	Subject   string // identifier of what it is about; with #2, #3 … when it was sent again
	To        Receiver
	State     State
	Attempts  int
	NextAt    time.Time // of the next try, while it waits
	Reason    string    // why it was not sent at the last try
	CreatedAt time.Time
	SentAt    time.Time
}

// Narrow is which mails of a wallet are listed; what is empty narrows nothing.
type Narrow struct {
	State  State
	Case   Case
	Before string // identifier of a mail
}

// Resend asks for a mail to be sent once more.
type Resend struct {
	WalletID, MailID string
	At               time.Time
	Request          Request
}

// Request makes a call repeatable: a key is of one scope, and stands for one body.
type Request struct {
	Scope    string
	Key      string
	BodyHash []byte
}
