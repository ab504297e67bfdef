package intake

import (
	"context"
	"net/http"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/wallet"
)

func (s *Server) addWalletChanges() {
	const group = "Wallets"
	errors := []int{http.StatusNotFound, http.StatusConflict}
	add(s, operation{route: "PATCH /api/v1/wallets/{id}", id: "change-wallet", group: group, summary: "Change the name, business data, status or daily limit of a wallet", errors: errors}, s.changeWallet)
	add(s, operation{route: "DELETE /api/v1/wallets/{id}", id: "delete-wallet", group: group, summary: "Delete a wallet that is stopped and settled", status: http.StatusNoContent, errors: errors}, s.deleteWallet)
}

type changeWalletInput struct {
	ByID
	Body struct {
		Name           *string        `json:"name,omitempty"`
		InvoiceEmail   *string        `json:"invoice_email,omitempty" doc:"Where tax invoices go, of a business wallet"`
		BusinessNumber *string        `json:"business_number,omitempty" doc:"사업자등록번호 of a business wallet; only the platform changes it"`
		Company        *string        `json:"company,omitempty" doc:"상호 on tax invoices; empty for the name"`
		Address        *string        `json:"address,omitempty" doc:"사업장 주소 on tax invoices"`
		BusinessType   *string        `json:"business_type,omitempty" doc:"업태 on tax invoices"`
		BusinessItem   *string        `json:"business_item,omitempty" doc:"종목 on tax invoices"`
		Status         *wallet.Status `json:"status,omitempty" enum:"in_use,stopped,suspended" doc:"Only the platform suspends a wallet and ends that"`
		DailyLimit     *wallet.KRW    `json:"daily_limit_krw,omitempty" doc:"일 지출한도: 1,000 to 100,000,000 in steps of 1,000"`
	}
}

func (s *Server) changeWallet(ctx context.Context, in *changeWalletInput) (*body[walletView], error) {
	b := in.Body
	change := access.WalletChange{Name: b.Name, InvoiceEmail: b.InvoiceEmail, Status: b.Status, DailyLimit: b.DailyLimit,
		BusinessNumber: b.BusinessNumber, Company: b.Company, Address: b.Address, Type: b.BusinessType, Item: b.BusinessItem}
	if err := s.services.Wallets.Change(ctx, in.ID, change, principalOf(ctx).Platform()); err != nil {
		return nil, err
	}
	return s.getWallet(ctx, &in.ByID)
}

func (s *Server) deleteWallet(ctx context.Context, in *ByID) (*none, error) {
	return nil, s.services.Wallets.Delete(ctx, in.ID)
}
