"""FinCEN's reports as the BSA E-Filing System takes them: XML of a Currency Transaction Report and of a Suspicious
Activity Report. Made here, read by officers, never sent anywhere.

Source: FinCEN, CTR XML Schema 2.0 User Guide (version 1.8) and SAR XML Schema 2.0 User Guide (version 1.6).
"""
