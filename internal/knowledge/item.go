// Package knowledge finds the answer of a knowledge base (지식베이스) that an utterance asks for.
package knowledge

// Item (지식) is a question with its answer: one row of a knowledge base.
type Item struct {
	Categories [4]string `json:"categories"` // from wide to narrow; empty where there is none
	Question   string    `json:"question"`
	Answer     string    `json:"answer"`
	ImageURL   string    `json:"image_url,omitempty"`
	LandingURL string    `json:"landing_url,omitempty"` // where more is said

	// Leads is what the question leads to where that is not its answer: a block.
	Leads string `json:"-"`
}

// target is what an item leads to. Items that lead to the same are ways to ask for one thing.
func (i Item) target() Item {
	return Item{Answer: i.Answer, ImageURL: i.ImageURL, LandingURL: i.LandingURL, Leads: i.Leads}
}
